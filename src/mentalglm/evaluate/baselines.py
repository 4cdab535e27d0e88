"""Systems that read nothing: what a score must be seen beside."""

from __future__ import annotations

import numpy as np

from .pair import Gold
from .spaces import Space


def trivial(gold: Gold) -> dict[str, np.ndarray]:
    """Name → the labels [N, K] that the system gives. `majority` is the gold's own most frequent class (of several labels:
    the most frequent one, with its parent), which favours it a little; `always` says high, or yes, or every label."""
    space, labels = gold.space, gold.labels
    out: dict[str, np.ndarray] = {}
    if space.kind == "summary":
        return out
    out["majority"] = np.zeros_like(labels)
    out["majority"][:, _most(space, labels)] = True
    out["majority"] = space.closed(out["majority"])
    if space.binary and space.positive:
        out["always"] = np.zeros_like(labels)
        out["always"][:, space.keys.index(space.positive)] = True
    elif space.kind != "single":
        out["always"] = np.ones_like(labels)
    return out


def _most(space: Space, labels: np.ndarray) -> int:
    """The most frequent label, a child where labels have parents."""
    count = labels.sum(0).astype(float)
    parents = set(space.parents.values())
    return int(np.argmax([-1 if key in parents else c for key, c in zip(space.keys, count, strict=True)]))
