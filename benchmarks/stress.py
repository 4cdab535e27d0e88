"""python benchmarks/stress.py

The shipped `mini` on the stress set (nothing of it was trained on): benchmarks/results/stress.json. A pair counts where
both posts are right: high or low, and whether a wish (level 4 or more) is read. The two distortion categories count whether
any distortion is given. Posts that are not sure count as what they say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import mentalglm

ROOT = Path(__file__).resolve().parents[1]
BY_DISTORTION = ("realistic_negative", "distress_no_distortion")


def main() -> None:
    rows = [json.loads(x) for x in (ROOT / "src/mentalglm/datasets/stress/risk.jsonl").open(encoding="utf-8")]
    model = mentalglm.load("mini")
    posts = [{"id": r["id"], "text": r["text"]} for r in rows]
    records = list(model.analyze(posts, tasks=["suicide_risk", "cognitive_distortion"]))  # pyright: ignore
    pairs: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    flags: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)  # gold high, said high, not sure
    for row, record in zip(rows, records, strict=True):
        risk, found = record["analyses"]["suicide_risk"], record["analyses"]["cognitive_distortion"]
        high = risk["labels"] == ["high"]
        if row["category"] in BY_DISTORTION:
            right = bool(found["labels"]) == bool(row["distortions"])
        else:
            right = high == (row["label"] == "high") and (risk["level"] >= 4) == (row["level"] >= 4)
        pairs[row["category"]][row["pair"]].append(right)
        flags[row["category"]].append((row["label"] == "high", high, risk["abstained"]))
    out: dict[str, Any] = {"model": {"name": model.name, "revision": model.revision}, "categories": {}}
    every: list[bool] = []
    for name, found in pairs.items():
        both = [all(v) for v in found.values()]
        every += both
        gold_high = [said for gold, said, _ in flags[name] if gold]
        gold_low = [said for gold, said, _ in flags[name] if not gold]
        out["categories"][name] = {
            "pairs": len(both),
            "both_right": round(sum(both) / len(both), 3),
            "missed": round(1 - sum(gold_high) / len(gold_high), 3) if gold_high else None,
            "false_alarms": round(sum(gold_low) / len(gold_low), 3) if gold_low else None,
            "not_sure": round(sum(f[2] for f in flags[name]) / len(flags[name]), 3),
        }
    out |= {"pairs": len(every), "both_right": round(sum(every) / len(every), 3)}
    text = json.dumps(out, ensure_ascii=False, indent=1) + "\n"
    (ROOT / "benchmarks/results/stress.json").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
