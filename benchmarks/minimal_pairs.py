"""python benchmarks/minimal_pairs.py [--out FILE] [--model-folder DIR]

`mini` on the project's held-out minimal pairs: nearly the same words, another reading. A post is right when the risk (high
or low) and "a wish or more, or less" are right and, where the two posts differ in whose risk it is, that too; a pair is
right when both posts are. An abstained post keeps its best decision; how often that happens is said beside.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from mentalglm.models.mini import WEIGHTS, Mini

PAIRS = Path(__file__).parents[1] / "src/mentalglm/datasets/minimal_pairs.jsonl"
WISH = ("wish", "plan", "imminent")


def measure(model: Mini, path: Path = PAIRS) -> dict[str, Any]:
    gold = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    records = model.analyze([g["text"] for g in gold], tasks=["suicide_risk"])
    pairs: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for g, record in zip(gold, records, strict=True):
        pairs[g["pair"]].append((g, record["analyses"]["suicide_risk"]))
    by_kind: dict[str, list[bool]] = defaultdict(list)
    parts: dict[str, list[bool]] = defaultdict(list)
    wrong: list[str] = []
    for pair in pairs.values():
        differs = len({_whose(g["subject"]) for g, _ in pair}) > 1
        right = True
        for g, a in pair:
            risk = a["labels"] == [g["suicide_risk"]]
            wish = (a["expression"] in WISH) == (g["expression"] in WISH)
            whose = not differs or _whose(a["subject"]) == _whose(g["subject"])
            parts["risk"].append(risk)
            parts["wish"].append(wish)
            if differs:
                parts["subject"].append(whose)
            if not (risk and wish and whose):
                right = False
                wrong.append(f"{g['id']} {g['suicide_risk']}/{g['expression']}/{g['subject']} read as "
                             f"{a['labels'][0]}/{a['expression']}/{a['subject']}: {g['text']}")  # fmt: skip
        by_kind[pair[0][0]["kind"]].append(right)
    every = [x for xs in by_kind.values() for x in xs]
    return {
        "pairs": len(every),
        "both_right": sum(every) / len(every),
        "by_kind": {k: sum(v) / len(v) for k, v in sorted(by_kind.items())},
        "posts_right": {k: sum(v) / len(v) for k, v in parts.items()},
        "abstained": sum(a["abstained"] for pair in pairs.values() for _, a in pair) / (2 * len(every)),
        "wrong": wrong,
    }


def _whose(subject: str) -> str:
    """Two readings matter: the author's own, or not."""
    return "own" if subject in ("self", "unclear") else "not own"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model-folder", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    found = measure(Mini(folder=args.model_folder))
    text = json.dumps(found, ensure_ascii=False, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
