"""How well pairs of nearly the same words and another meaning are read: by the network alone, on the contrast pairs kept out
of training (the measure of the warm start), and by a whole model, on the minimal pairs that nothing was chosen on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mentalglm.models.mini.decide import LEVEL, LEVEL_STEP, RISK, SUBJECT, SUBJECTS
from mentalglm.train.corpus import Example
from mentalglm.train.decide import sigmoid

PAIRS = Path(__file__).parents[1] / "datasets" / "minimal_pairs.jsonl"
WISH = ("wish", "plan", "imminent")
OWN = (SUBJECTS.index("self"), SUBJECTS.index("unclear"))


def both_right(posts: np.ndarray, examples: Sequence[Example]) -> dict[str, float]:
    """Share of pairs of which both posts are right, by kind and over `all`; `posts` [N, C] are uncalibrated logits.

    A post is right when high or low, and "a wish or more" or less, are; and, where the pair turns on it, whose risk it
    is.
    """
    pairs: dict[str, list[tuple[Example, np.ndarray]]] = defaultdict(list)
    for e, z in zip(examples, posts, strict=True):
        pairs[e.family].append((e, z))
    right: dict[str, list[bool]] = defaultdict(list)
    for name, two in pairs.items():
        turns = len({e.subject in OWN for e, _ in two}) > 1
        both = all(_right(e, z, turns) for e, z in two)
        right["all"].append(both)
        right[name.split("_")[0]].append(both)
    return {k: float(np.mean(v)) for k, v in sorted(right.items())}


def _right(e: Example, z: np.ndarray, turns: bool) -> bool:
    level = int((sigmoid(z[LEVEL]) >= LEVEL_STEP).sum())
    known = e.level is None or ((z[RISK] > 0) == (e.level >= 6) and (level >= 4) == (e.level >= 4))
    return bool(known and (not turns or (int(z[SUBJECT].argmax()) in OWN) == (e.subject in OWN)))


def measure(model: Any, path: Path = PAIRS) -> dict[str, Any]:
    """What `model` (anything with `analyze`) makes of the held-out minimal pairs: the share of which both posts are right
    (risk; a wish or more against less; whose risk, where the pair turns on it), by kind, and the wrong posts."""
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
