"""Speed and memory of `mini` beside a BERT-base-size encoder in the same runtime and beside TF-IDF, in one run.

    python benchmarks/speed.py --out benchmarks/results

Posts a second (interleaved rounds, medians, ratios within a round), batch and thread scaling, 1,000 / 10,000 / 100,000
posts through `mentalglm analyze`, peak memory, cold start. Writes speed.json and speed.png. Needs the extra `dev` (onnx
to write the BERT-size file with random weights, scikit-learn, matplotlib), no torch; on two idle cores about half an
hour. Only this process stays small: a child's peak memory begins at its parent's.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COLD = "有时候真希望睡着以后不要再醒过来。"
PATH = "" if find_spec("mentalglm") else str(HERE.parent / "src")
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss


def child(command: list[str], threads: int | None = None, feed: str | None = None) -> tuple[str, float, float]:
    """Runs `command`: its standard output, wall seconds and peak memory in MB. Ends the benchmark if it fails."""
    env = dict(os.environ)
    if PATH:
        env["PYTHONPATH"] = os.pathsep.join(x for x in (PATH, env.get("PYTHONPATH", "")) if x)
    if threads:
        env |= {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write((feed or "").encode())
        given.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=out, env=env)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        out.seek(0)
        return out.read().decode(), seconds, used.ru_maxrss * PEAK_UNIT / 1e6


def work(job: str, cores: int | None = None, /, **arguments: Any) -> tuple[dict[str, Any], float]:
    """A job of worker.py: what it found, and its peak memory in MB."""
    text, _, peak = child([sys.executable, str(HERE / "worker.py"), job], cores, json.dumps(arguments))
    return json.loads(text), peak


def spread(values: list[float], digits: int = 2) -> dict[str, float]:
    """Median, smallest and largest."""
    return {
        "median": round(statistics.median(values), digits), "low": round(min(values), digits),
        "high": round(max(values), digits),
    }  # fmt: skip


def with_ratios(found: dict[str, Any]) -> dict[str, Any]:
    """Rounds to medians with their spread; the ratio of `mini` to the fastest BERT and to TF-IDF, round by round."""
    best = found["fastest_bert"]

    def ratios(rounds: dict[str, list[float]], of: str, to: str) -> dict[str, float]:
        return spread([a / b for a, b in zip(rounds[of], rounds[to], strict=True)], 3)

    through = found["throughput"]
    return found | {
        "throughput": {
            name: spread(values) | {"rounds": [round(v, 2) for v in values]} for name, values in through.items()
        },
        "ratio": {
            **{f"{name} / {best}": ratios(through, name, best) for name in through if name.startswith("mini")},
            "mini / tf-idf": ratios(through, "mini", "tf-idf"),
        },
        "batches": {
            size: {
                **{name: spread(values) for name, values in rounds.items()},
                f"mini / {best}": ratios(rounds, "mini", best),
            }
            for size, rounds in found["batches"].items()
        },
    }


def analyse(size: int, input_file: str | None, folder: Path, threads: int) -> dict[str, Any]:
    """`mentalglm analyze --input … --output …` on `size` posts, as a person runs it."""
    source, output = folder / f"posts-{size}.jsonl", folder / f"out-{size}.jsonl"
    some = work("pool", size=min(size, 10_000), path=input_file)[0]["posts"]  # so that this process stays small
    with source.open("w", encoding="utf-8") as f:
        for i in range(size):
            f.write(json.dumps({"id": f"p{i}", "text": some[i % len(some)]}, ensure_ascii=False) + "\n")
    command = [sys.executable, "-m", "mentalglm", "analyze", "--input", str(source), "--output", str(output)]
    _, seconds, peak = child([*command, "--threads", str(threads)], threads)
    with output.open("rb") as f:
        lines = sum(1 for _ in f)
    if lines != size:
        raise SystemExit(f"{size:,} posts went in and {lines:,} records came out")
    written = output.stat().st_size
    source.unlink()
    output.unlink()
    return {
        "posts": size, "threads": threads, "seconds": round(seconds, 2), "posts_per_second": round(size / seconds, 2),
        "peak_mb": round(peak, 1), "output_mb": round(written / 1e6, 1),
    }  # fmt: skip


def cold_start(times: int) -> dict[str, Any]:
    """Seconds of `python -m mentalglm analyze "…"`, process start included; the file cache is warm after the first."""
    found = [child([sys.executable, "-m", "mentalglm", "analyze", COLD]) for _ in range(times)]
    seconds = [round(s, 3) for _, s, _ in found]
    peak = round(statistics.median(p for *_, p in found), 1)
    return {"median": round(statistics.median(seconds), 3), "first": seconds[0], "seconds": seconds, "peak_mb": peak}


def machine() -> dict[str, Any]:
    from importlib.metadata import version

    info = Path("/proc/cpuinfo")
    names = (
        [x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
        if info.exists()
        else []
    )
    flags = info.read_text() if info.exists() else ""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "instructions": [x for x in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f" {x}" in flags],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: version(name) for name in ("onnxruntime", "numpy", "tokenizers", "scikit-learn")},
        "load_before": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", type=Path, default=HERE / "results", help="folder for speed.json and speed.png")
    add("--input", help="JSON lines with a column text; without it the invented posts of the package")
    add("--posts", type=int, default=256, help="posts of a round")
    add("--rounds", type=int, default=5)
    add("--threads", type=int, nargs="+", default=[1, 2])
    add("--batch", type=int, default=128, help="posts of a call")
    add("--batches", type=int, nargs="*", default=[1, 8, 32, 128], help="for the scaling with the batch")
    add("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000], help="for mentalglm analyze")
    add("--cold", type=int, default=7, help="cold starts")
    add("--scratch", type=Path, help="where the BERT-size files (1 GB) stay; without it they are made and removed")
    call = parser.parse_args()
    call.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mentalglm-speed-") as temporary:
        folder = call.scratch or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run(call, folder, Path(temporary))
    import plots

    plots.speed(json.loads((call.out / "speed.json").read_text(encoding="utf-8")), call.out / "speed.png")
    print(f"{call.out / 'speed.json'}, {call.out / 'speed.png'}")


def run(call: argparse.Namespace, folder: Path, temporary: Path) -> None:
    result: dict[str, Any] = {"machine": machine()}

    def keep(name: str, value: Any) -> None:
        result[name] = value
        (call.out / "speed.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{name}: done", file=sys.stderr, flush=True)

    if result["machine"]["load_before"] > 0.5:
        print(f"note: the load is {result['machine']['load_before']}: another program takes time", file=sys.stderr)
    found, _ = work("pool", size=call.posts, path=call.input)
    posts, lengths = found["posts"], sorted(map(len, found["posts"]))
    few, pilot = (work("pool", size=min(n, call.posts), path=call.input)[0]["posts"] for n in (64, call.batch))
    keep("posts", {
        "from": "a file" if call.input else "the invented posts of the package", "pool": found["pool"],
        "a_round": call.posts, "batch": call.batch,
        "characters": {"mean": round(statistics.mean(lengths), 1), "median": statistics.median(lengths),
                       "largest": lengths[-1]},
    })  # fmt: skip
    keep("files_mb", work("build", folder=str(folder))[0])
    by_threads: dict[str, Any] = {}
    for threads in call.threads:
        arguments = {"posts": posts, "pilot": pilot, "few": few, "batch": call.batch, "count": call.rounds}
        batches = call.batches if threads == max(call.threads) else []
        found, _ = work("measure", threads, folder=str(folder), threads=threads, batches=batches, **arguments)
        by_threads[str(threads)] = with_ratios(found)
        keep("threads", by_threads)
    most = max(call.threads)
    chosen = by_threads[str(most)]
    eight, memory = chosen["eight_bit_form"], {}
    for name, system in (("bert-base fp32", "fp32"), ("bert-base int8", eight), ("mini", ""), ("tf-idf", "")):
        more = {"budget": chosen["pilot"][system]["budget"]} if system else {}
        key = f"bert-base-{system}" if system else name
        arguments = {"system": key, "posts": posts, "threads": most, "batch": call.batch}
        _, peak = work("memory", most, folder=str(folder), **arguments, **more)
        memory[name] = round(peak, 1)
    keep("peak_mb", memory)
    keep("cold_start", cold_start(call.cold))
    sizes = []
    for size in call.sizes:
        sizes.append(analyse(size, call.input, temporary, most))
        keep("sizes", sizes)


if __name__ == "__main__":
    main()
