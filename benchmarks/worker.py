"""The parts of the speed benchmark that hold a model in memory; each runs in a process of its own (see speed.py).

`python worker.py JOB ARGUMENTS`, where the arguments are one JSON object; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import systems
from systems import System

AT_LEAST = 0.3  # seconds: a fast system reads the posts again until a measurement has taken this long


def rate(system: System, posts: Sequence[str], batch: int) -> float:
    """Posts a second, `batch` posts a call."""
    done, started = 0, time.perf_counter()
    while True:
        for at in range(0, len(posts), batch):
            system(posts[at : at + batch])
        done += len(posts)
        seconds = time.perf_counter() - started
        if seconds >= AT_LEAST:
            return done / seconds


def rounds(named: dict[str, System], posts: Sequence[str], batch: int, count: int) -> dict[str, list[float]]:
    """Posts a second in each of `count` rounds. In a round every system reads the same posts; who begins, rotates."""
    found: dict[str, list[float]] = {name: [] for name in named}
    names = list(named)
    for r in range(count):
        for name in names[r % len(names) :] + names[: r % len(names)]:
            time.sleep(0.1)  # the threads of the last system stop spinning
            found[name].append(rate(named[name], posts, batch))
        print(f"  round {r + 1} of {count}", file=sys.stderr, flush=True)
    return found


def fastest(paths: dict[str, Path], threads: int, posts: Sequence[str], batch: int) -> dict[str, dict[str, Any]]:
    """The best token budget of each precision, by one trial each: small calls are padded less, large ones run fuller."""
    best: dict[str, dict[str, Any]] = {}
    for name, path in paths.items():
        for budget in systems.BUDGETS:
            system = systems.bert(path, threads, budget)
            system(posts[:2])
            found = rate(system, posts, batch)
            if name not in best or found > best[name]["posts_per_second"]:
                best[name] = {"budget": budget, "posts_per_second": round(found, 2)}
    return best


def measure(
    folder: str,
    posts: list[str],
    pilot: list[str],
    few: list[str],
    threads: int,
    batch: int,
    batches: list[int],
    count: int,
) -> dict[str, Any]:
    """Throughput at `batch`, and of the main systems at each of `batches` (on the posts `few`)."""
    paths = systems.write_bert(Path(folder))
    chosen = fastest(paths, threads, pilot, batch)
    named: dict[str, System] = {"mini": systems.mini(threads)}
    named |= {f"mini {task}": systems.mini(threads, [task]) for task in systems.TASKS}
    eight = max(("int8", "uint8"), key=lambda name: chosen[name]["posts_per_second"])
    for name, precision in (("bert-base fp32", "fp32"), ("bert-base int8", eight)):
        named[name] = systems.bert(paths[precision], threads, chosen[precision]["budget"])
    named["tf-idf"] = systems.tf_idf()
    for system in named.values():
        system(posts[:4])
    throughput = rounds(named, posts, batch, count)
    best = max(("bert-base fp32", "bert-base int8"), key=lambda name: sum(throughput[name]))
    main = {name: named[name] for name in ("mini", best, "tf-idf")}
    return {
        "pilot": chosen,
        "eight_bit_form": eight,
        "fastest_bert": best,
        "throughput": throughput,
        "batches": {str(size): rounds(main, few, size, count) for size in batches},
    }


def memory(folder: str, system: str, posts: list[str], threads: int, batch: int, budget: int = 1536) -> dict[str, Any]:
    """Reads the posts once with one system, so that the caller can see what memory that took."""
    made = {"mini": lambda: systems.mini(threads), "tf-idf": systems.tf_idf}
    path = Path(folder) / f"{system}.onnx"
    run = made[system]() if system in made else systems.bert(path, threads, budget)
    for at in range(0, len(posts), batch):
        run(posts[at : at + batch])
    return {"posts": len(posts)}


def build(folder: str) -> dict[str, Any]:
    """Writes the BERT-base-size files; megabytes of each."""
    return {name: round(path.stat().st_size / 1e6, 1) for name, path in systems.write_bert(Path(folder)).items()}


def pool(size: int, path: str | None = None) -> dict[str, Any]:
    """`size` posts out of the invented ones, or out of the column `text` of the JSON lines in `path`."""
    if path:
        texts = [
            json.loads(line)["text"] for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()
        ]
    else:
        texts = [row["text"] for row in systems.invented()]
    return {"pool": len(texts), "posts": systems.posts_of(texts, size)}


if __name__ == "__main__":
    job = {"measure": measure, "memory": memory, "build": build, "pool": pool}[sys.argv[1]]
    arguments = json.loads(sys.argv[2] if len(sys.argv) > 2 else sys.stdin.read())
    print(json.dumps(job(**arguments)))
