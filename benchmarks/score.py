"""Speed of the scorer beside scikit-learn in a Python loop over bootstrap samples, in one run.

    python benchmarks/score.py --out benchmarks/results

A million predictions and 1,000 samples: `mentalglm evaluate` from files to tables (suicide risk, with probabilities),
then the label metrics alone on arrays: risk, twelve distortions like real ones, and twelve at random (so that hardly
two posts are alike, the worst case). The loop draws a few samples of the same posts and computes the same F1 scores;
its time is multiplied up to all samples, and the result says so. Needs the extra `dev` (scikit-learn). Writes score.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mentalglm.evaluate import command, scores, spaces
from mentalglm.evaluate.pair import Gold, Problems, System

# shares of SocialCD-3K's twelve labels, rounded
SHARES = np.array([0.02, 0.04, 0.11, 0.01, 0.03, 0.19, 0.09, 0.005, 0.03, 0.58, 0.06, 0.01])


class Took(NamedTuple):
    """Seconds on the clock, and of the processor (all threads): on a busy machine only the second says what it costs."""

    wall: float
    cpu: float


def timed(work: Callable[[], Any], times: float = 1) -> Took:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Took((time.perf_counter() - began) * times, (time.process_time() - cpu) * times)


def arrays(n: int, k: int, share: np.ndarray, flip: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gold and answers [n, k]: an answer is another draw on a share `flip` of the labels."""
    rng = np.random.default_rng(seed)
    gold = rng.random((n, k)) < share
    said = np.where(rng.random((n, k)) < flip, rng.random((n, k)) < share, gold)
    return gold, said


def label_metrics(task: str, gold: np.ndarray, said: np.ndarray, samples: int) -> Took:
    """Seconds for all metrics and those of each class, with BCa intervals."""
    n = len(gold)
    right = Gold(spaces.load(task), [], gold, None, [], Problems())
    system = System("a", np.zeros(n, np.int8), said, None, np.zeros(n, bool), [], Problems())
    return timed(lambda: scores.labels(right, system, samples, 0))


def loop(y: np.ndarray, said: np.ndarray, draws: int, samples: int, averages: tuple[str, ...]) -> Took:
    """Seconds for `samples` samples of scikit-learn's F1 on posts drawn with replacement, from those for `draws`."""
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)

    def work() -> None:
        for _ in range(draws):
            at = rng.integers(0, len(y), len(y))
            for average in averages:
                f1_score(y[at], said[at], average=average)

    return timed(work, samples / draws)


def files(folder: Path, n: int) -> tuple[Path, Path]:
    """Gold and predictions of suicide risk as JSON lines; one in 200 is missing or unparsed."""
    rng = np.random.default_rng(1)
    high = rng.random(n) < 0.48
    p = np.clip(rng.normal(np.where(high, 0.66, 0.34), 0.22), 0.001, 0.999).round(4)
    gold, pred = folder / "gold.jsonl", folder / "pred.jsonl"
    with gold.open("w") as g, pred.open("w") as f:
        for i in range(n):
            g.write(f'{{"id": "p{i}", "labels": ["{"high" if high[i] else "low"}"]}}\n')
            if i % 400 == 0:
                continue
            if i % 400 == 200:
                f.write(f'{{"id": "p{i}", "status": "error", "error": {{"code": "unparsed", "message": "x"}}}}\n')
                continue
            probabilities = f'{{"low": {1 - p[i]:.4f}, "high": {p[i]:.4f}}}'
            f.write(
                f'{{"id": "p{i}", "labels": ["{"high" if p[i] >= 0.5 else "low"}"], "probabilities": {probabilities}}}\n'
            )
    return gold, pred


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--loop", type=int, default=3, help="samples of the loop, from which its time is extrapolated")
    args = parser.parse_args()
    n, samples = args.n, args.samples
    found: dict[str, Any] = {"predictions": n, "samples": samples, "seconds": {}, "loop_samples_run": args.loop}
    seconds = found["seconds"]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        gold, pred = files(Path(folder), n)
        run = Path(folder) / "run"
        seconds["command, files to tables, risk with probabilities"] = timed(
            lambda: command.command("suicide_risk", gold, [str(pred)], run, samples=samples)
        )
    high, said = arrays(n, 1, np.array([0.48]), 0.35, 0)
    two = [np.concatenate([~x, x], 1) for x in (high, said)]
    real = arrays(n, 12, SHARES, 0.3, 0)
    random = arrays(n, 12, np.full(12, 0.5), 0.5, 0)
    seconds["label metrics, risk"] = label_metrics("suicide_risk", two[0], two[1], samples)
    seconds["label metrics, distortions"] = label_metrics("cognitive_distortion", *real, samples)
    seconds["label metrics, distortions at random"] = label_metrics("cognitive_distortion", *random, samples)
    for name, (y, s), averages in (
        ("risk", (high[:, 0].astype(int), said[:, 0].astype(int)), ("binary", "macro")),
        ("distortions", (real[0].astype(np.int8), real[1].astype(np.int8)), ("micro", "macro")),
    ):
        one = loop(y, s, args.loop, samples, averages)
        seconds[f"scikit-learn loop, {name}, F1 {' and '.join(averages)}, extrapolated"] = one
        found[f"times as fast, {name}, by processor time"] = one.cpu / seconds[f"label metrics, {name}"].cpu
    found["seconds"] = {name: took._asdict() for name, took in seconds.items()}
    found["machine"] = {
        "cores": os.cpu_count(),
        "load_average_at_the_end": os.getloadavg()[0],
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    found["date"] = datetime.date.today().isoformat()
    found = json.loads(json.dumps(found), parse_float=lambda x: round(float(x), 2))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (args.out / "score.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
