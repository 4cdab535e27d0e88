"""python benchmarks/dataset.py --from FOLDER [--recipe recipes/c_imhi.toml] [--out RUN]

Builds the dataset through the command line, verifies it, and writes benchmarks/results/dataset.json: how long it took, what
memory, what came out. Counts hang on the sources alone; the seconds on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="folder", required=True)
    parser.add_argument("--recipe", default=str(ROOT / "recipes/c_imhi.toml"))
    parser.add_argument("--out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(given.out or scratch) / "run"
        mentalglm = [sys.executable, "-m", "mentalglm"]
        began, load = time.perf_counter(), os.getloadavg()[0]
        subprocess.run([*mentalglm, "build", given.recipe, "--from", given.folder, "--out", str(out)], check=True)
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*mentalglm, "verify", str(out)], check=True, stdout=subprocess.DEVNULL)
        found = summary(out) | {
            "seconds": round(seconds, 1),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
            "peak_mb": round(used.ru_maxrss / 1024),
            "cores": os.cpu_count(),
            "load_at_start": round(load, 1),
        }
    target = ROOT / "benchmarks/results/dataset.json"
    target.write_text(json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True))


def summary(out: Path) -> dict[str, Any]:
    """Counts from the manifest, and what the files themselves show: quotes that are not in their post, overlaps."""
    counts = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["counts"]
    quality = json.loads((out / "quality.json").read_text(encoding="utf-8"))
    leakage = json.loads((out / "leakage.json").read_text(encoding="utf-8"))
    evidence = wrong = 0
    splits: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        with (out / f"{split}.jsonl").open(encoding="utf-8") as f:
            for line in f:
                row = json.loads(line)
                splits.setdefault(row["key"], set()).add(split)
                for e in row["evidence"]:
                    evidence += 1
                    wrong += row["text"][e["start"] : e["end"]] != e["quote"]
    kept = quality["quotes"]["kept"]
    return {
        "rows": counts["rows"],
        "tasks": counts["tasks"],
        "teachers": counts["teachers"],
        "dropped": counts["dropped"],
        "evidence": evidence,
        "evidence_wrong": wrong,
        "quotes": kept["quotes"],
        "quotes_bad": kept["quotes_bad"],
        "skeleton_share": quality["corpus"]["skeleton_share"],
        "keys_in_two_splits": sum(len(s) > 1 for s in splits.values()),
        "overlaps_after": leakage["across_splits"],
        "overlaps_before": sum(r["exact"] + r["near"] for r in leakage["before"] if r["a"] != r["b"]),
        "asked": quality["asked"],
    }


if __name__ == "__main__":
    main()
