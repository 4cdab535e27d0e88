"""How well the network alone reads the contrast pairs that are kept out of training: the measure of the warm start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from mentalglm.models.mini.decide import LEVEL, LEVEL_STEP, RISK, SUBJECT, SUBJECTS
from mentalglm.train.corpus import Example
from mentalglm.train.decide import sigmoid

OWN = (SUBJECTS.index("self"), SUBJECTS.index("unclear"))


def both_right(posts: np.ndarray, examples: Sequence[Example]) -> dict[str, float]:
    """Share of pairs of which both posts are right, by kind and over `all`; `posts` [N, C] are uncalibrated logits.

    A post is right when high or low, and "a wish or more" or less, are; and, where the pair turns on it, whose risk it
    is. The same rule as benchmarks/minimal_pairs.py.
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
