"""Scores as pure functions: boolean matrices in, counts, and metrics of counts out.

Every metric here is a function of sums over posts, so that a bootstrap sample needs only the sums of its posts. What a
failed prediction (missing, unparsed) counts as is the least wrong answer that is wrong: with two classes the other one;
with more, or with several labels, nothing, and where nothing would be right one label outside of the task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .spaces import Space

FEW = 5  # positives under which there is no interval


class Layout(NamedTuple):
    """Where the sums of K classes stand in a row of counts."""

    k: int

    @property
    def tp(self) -> slice:
        return slice(0, self.k)

    @property
    def fp(self) -> slice:
        return slice(self.k, 2 * self.k)

    @property
    def fn(self) -> slice:
        return slice(2 * self.k, 3 * self.k)

    @property
    def n(self) -> int:
        return 3 * self.k

    @property
    def outside(self) -> int:
        """False positives outside of the task's classes."""
        return 3 * self.k + 1

    @property
    def exact(self) -> int:
        return 3 * self.k + 2

    @property
    def samples(self) -> int:
        """Sum of each post's own F1."""
        return 3 * self.k + 3

    @property
    def formula(self) -> int:
        """Sum of each post's macro-F1 over {0, 1}."""
        return 3 * self.k + 4

    @property
    def width(self) -> int:
        return 3 * self.k + 5


def counts(gold: np.ndarray, said: np.ndarray, failed: np.ndarray, binary: bool = False) -> np.ndarray:
    """What each post adds to the sums, [N, Layout(K).width]. gold, said: booleans [N, K]; failed: [N].

    binary: one of two classes holds for each post, and a failed prediction counts as the wrong one. With one label of
    several classes a failed prediction is a false negative of its class, and a false positive outside of them.
    """
    n, k = gold.shape
    at = Layout(k)
    said = said & ~failed[:, None]
    outside = np.zeros(n, bool)
    if binary:
        said = np.where(failed[:, None], ~gold, said)
    else:
        outside = failed & ~gold.any(1)
    out = np.zeros((n, at.width))
    tp, fp, fn = gold & said, ~gold & said, gold & ~said
    out[:, at.tp], out[:, at.fp], out[:, at.fn] = tp, fp, fn
    out[:, at.n], out[:, at.outside] = 1, outside
    wrong = fp.sum(1) + fn.sum(1) + outside
    both, neither = tp.sum(1), (~gold & ~said).sum(1)
    out[:, at.exact] = wrong == 0
    one = _f1(both, wrong)  # 1 where there is nothing to find and nothing was said
    zero = _f1(neither, wrong)
    out[:, at.samples] = one
    present_one, present_zero = both + wrong > 0, neither + wrong > 0
    present = present_one.astype(int) + present_zero  # scikit-learn averages over the values that occur
    out[:, at.formula] = np.where(failed, 0, (one * present_one + zero * present_zero) / present)
    return out


def single(gold: np.ndarray, said: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """`counts` of a task with one label a post; [N, width]."""
    if gold.shape[1] == 2:
        return counts(gold, said, failed, binary=True)
    out = counts(gold, said, failed)
    out[:, Layout(gold.shape[1]).outside] = failed
    return out


def _f1(tp: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """2·tp / (2·tp + fp + fn), and 1 where all are nought."""
    return np.divide(2 * tp, 2 * tp + wrong, out=np.ones(np.shape(tp)), where=(tp + wrong) > 0)


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0 (as scikit-learn's `zero_division=0`)."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=np.asarray(b) > 0)


# A metric of the sums [..., width] and, computed once for all metrics, of each class's precision, recall and F1 [..., K];
# the positives that it rests on; what it is a share of.
_Metric = tuple[Callable[[np.ndarray, Sequence[np.ndarray]], np.ndarray], float, float]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of a space: `names` [M], and `of`, which takes sums [..., width] to values [..., M].

    support: for each metric how many posts or labels its interval rests on, and `trials` what a proportion is of, both
    from the sums of the whole.
    """

    names: tuple[str, ...]
    of: Callable[[np.ndarray], np.ndarray]
    support: np.ndarray
    trials: np.ndarray


def metrics(space: Space, sums: np.ndarray) -> Metrics:
    """The metrics of `space`, for gold with the sums [width] of the whole: which classes have no or few positives is
    settled there, so that every bootstrap sample has the same classes."""
    at = Layout(len(space.keys))
    positives = sums[at.tp] + sums[at.fn]
    found: dict[str, _Metric] = {}
    n, every = float(sums[at.n]), float(positives.sum())
    if space.binary and space.positive:
        c = space.keys.index(space.positive)
        has, lacks = float(positives[c]), n - float(positives[c])
        found["f1"] = (lambda s, e: e[2][..., c], has, has)
        found["precision"] = (lambda s, e: e[0][..., c], has, float(sums[c] + sums[at.fp][c]))
        found["recall"] = (lambda s, e: e[1][..., c], has, has)
        found["specificity"] = (lambda s, e: e[1][..., 1 - c], lacks, lacks)
    if space.kind == "single":
        found["accuracy"] = (lambda s, e: ratio(s[..., at.exact], s[..., at.n]), n, n)
    for j, name in enumerate(("precision", "recall", "f1")):
        found[f"micro_{name}"] = (lambda s, e, j=j: _micro(s, at, slice(None))[j], every, every)
        found[f"macro_{name}"] = (lambda s, e, j=j: e[j].mean(-1), every, every)
        found[f"weighted_{name}"] = (lambda s, e, j=j: _weighted(s, at, e[j]), every, every)
    for word, lowest in (("present", 1), ("common", FEW)):
        chosen = np.flatnonzero(positives >= lowest)
        if 0 < len(chosen) < at.k:
            found[f"macro_f1_{word}"] = (lambda s, e, c=chosen: e[2][..., c].mean(-1), every, every)
    found["samples_f1"] = (lambda s, e: ratio(s[..., at.samples], s[..., at.n]), n, n)
    found["exact_match"] = (lambda s, e: ratio(s[..., at.exact], s[..., at.n]), n, n)
    if space.kind == "multi":
        found["published_formula"] = (lambda s, e: ratio(s[..., at.formula], s[..., at.n]), n, n)
    if space.parents:
        parents = np.array([key in space.parents.values() for key in space.keys])
        # the labels are closed under `parent`, so that the sums over all of them are the hierarchical ones
        for j, name in enumerate(("precision", "recall", "f1")):
            found[f"hierarchical_{name}"] = (lambda s, e, j=j: _micro(s, at, slice(None))[j], every, every)
        for word, those in (("parent", parents), ("child", ~parents)):
            m = float(positives[those].sum())
            chosen = np.flatnonzero(those)
            found[f"{word}_micro_f1"] = (lambda s, e, c=chosen: _micro(s, at, c)[2], m, m)
            found[f"{word}_macro_f1"] = (lambda s, e, c=chosen: e[2][..., c].mean(-1), m, m)
    return Metrics(
        tuple(found),
        lambda s: (lambda each: np.stack([of(s, each) for of, _, _ in found.values()], -1))(_per_class(s, at)),
        np.array([support for _, support, _ in found.values()]),
        np.array([trials for _, _, trials in found.values()]),
    )


def class_metrics(space: Space, sums: np.ndarray) -> Metrics:
    """Precision, recall and F1 of each class, named `CLASS.f1`."""
    at = Layout(len(space.keys))
    tp, fp, fn = sums[at.tp], sums[at.fp], sums[at.fn]
    has = tp + fn
    return Metrics(
        tuple(f"{key}.{name}" for key in space.keys for name in ("precision", "recall", "f1")),
        lambda s: np.stack(_per_class(s, at), -1).reshape(*s.shape[:-1], 3 * at.k),
        np.repeat(has, 3),
        np.stack([tp + fp, has, has], -1).ravel(),
    )


def _per_class(s: np.ndarray, at: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall, F1, each [..., K]."""
    tp, fp, fn = s[..., at.tp], s[..., at.fp], s[..., at.fn]
    return ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(2 * tp, 2 * tp + fp + fn)


def _micro(s: np.ndarray, at: Layout, classes: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tp, fp, fn = (s[..., part][..., classes].sum(-1) for part in (at.tp, at.fp, at.fn))
    if isinstance(classes, slice):
        fp = fp + s[..., at.outside]
    return ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(2 * tp, 2 * tp + fp + fn)


def _weighted(s: np.ndarray, at: Layout, each: np.ndarray) -> np.ndarray:
    weight = s[..., at.tp] + s[..., at.fn]
    return ratio((each * weight).sum(-1), weight.sum(-1))


def values(space: Space, gold: np.ndarray, said: np.ndarray, failed: np.ndarray | None = None) -> dict[str, float]:
    """All metrics of `space` by name, without intervals. gold, said: booleans [N, K], closed under `parent`; failed [N]:
    which predictions are missing or unparsed (none, if left out)."""
    sums = features(space, gold, said, np.zeros(len(gold), bool) if failed is None else failed).sum(0)
    table = metrics(space, sums)
    return dict(zip(table.names, map(float, table.of(sums)), strict=True))


def features(space: Space, gold: np.ndarray, said: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """What each post adds to the sums, by the kind of the task; [N, width]."""
    return (single if space.kind == "single" else counts)(gold, said, failed)
