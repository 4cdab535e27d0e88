"""Pairs of nearly the same words and another meaning: of how many are both posts read right? Needs no torch.

The network alone is asked on the contrast pairs kept out of training (the measure of the warm start), a whole model on the
minimal pairs, which no choice was made on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mentalglm.models.mini.decide import LEVEL, RISK, SUBJECT, level_of, subject_of
from mentalglm.train.corpus import SUBJECTS, Example

MINIMAL = Path(__file__).parents[1] / "datasets" / "minimal_pairs.jsonl"
WISH = ("wish", "plan", "imminent")
OWN = ("self", "unclear")  # two readings of the subject matter: the author's own risk, or not


class Reading(NamedTuple):
    """High or low; a wish or more, or less; the author's own risk, or not. None: not known."""

    risk: bool | None
    wish: bool | None
    subject: bool


class Answer(NamedTuple):
    """One post of a pair: its pair and kind, how it is to be read and how it was."""

    pair: str
    kind: str
    gold: Reading
    said: Reading


def both_right(answers: Iterable[Answer]) -> dict[str, Any]:
    """The share of pairs of which both posts are read right, over all and by kind, the share of posts right in each part
    of the reading, and the numbers (from 0) of the posts that are wrong. The subject counts where a pair turns on it."""
    pairs: dict[str, list[tuple[int, Answer]]] = defaultdict(list)
    for number, a in enumerate(answers):
        pairs[a.pair].append((number, a))
    kinds: dict[str, list[bool]] = defaultdict(list)
    parts: dict[str, list[bool]] = defaultdict(list)
    wrong: list[int] = []
    for two in pairs.values():
        turns = len({a.gold.subject for _, a in two}) > 1
        before = len(wrong)
        for number, a in two:
            asked = [name for name in a.gold._fields if getattr(a.gold, name) is not None]
            right = {
                name: getattr(a.gold, name) == getattr(a.said, name) for name in asked if name != "subject" or turns
            }
            for name, value in right.items():
                parts[name].append(value)
            if not all(right.values()):
                wrong.append(number)
        kinds[two[0][1].kind].append(len(wrong) == before)
    every = [x for xs in kinds.values() for x in xs]
    return {
        "pairs": len(every),
        "both_right": float(np.mean(every)),
        "by_kind": {k: float(np.mean(v)) for k, v in sorted(kinds.items())},
        "posts_right": {k: float(np.mean(v)) for k, v in sorted(parts.items())},
        "wrong": wrong,
    }


def of_network(example: Example, z: np.ndarray) -> Answer:
    """What the uncalibrated logits `z` [C] of a contrast post say."""
    level = level_of(z[LEVEL])
    said = Reading(bool(z[RISK] > 0), level >= 4, subject_of(z[SUBJECT], level) in OWN)
    assert example.subject is not None
    known = example.level
    gold = Reading(
        None if known is None else known >= 6, None if known is None else known >= 4, SUBJECTS[example.subject] in OWN
    )
    return Answer(example.family, example.family.split("_")[0], gold, said)


def minimal(model: Any, path: Path = MINIMAL) -> dict[str, Any]:
    """`both_right` of what `model` (anything with `analyze`) makes of the minimal pairs, and how often it is not sure."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [r["analyses"]["suicide_risk"] for r in model.analyze([r["text"] for r in rows], tasks=["suicide_risk"])]

    def reading(label: str, expression: str, subject: str) -> Reading:
        return Reading(label == "high", expression in WISH, subject in OWN)

    answers = [
        Answer(
            r["pair"], r["kind"], reading(r["suicide_risk"], r["expression"], r["subject"]),
            reading(a["labels"][0], a["expression"], a["subject"]),
        )
        for r, a in zip(rows, found, strict=True)
    ]  # fmt: skip
    scored = both_right(answers)
    wrong = [rows[i]["id"] for i in scored.pop("wrong")]
    return scored | {"abstained": float(np.mean([a["abstained"] for a in found])), "wrong": wrong}
