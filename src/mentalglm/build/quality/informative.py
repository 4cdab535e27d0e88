"""Leak-adjusted informativeness: does the explanation help to predict the gold beyond what it leaks?

After LAS, leakage-adjusted simulatability (Hase et al. 2020, arXiv 2010.04119). Three simulators read the post, the
post with its explanation, and the explanation alone, with the names and keys of labels masked. A row *leaks* if the
explanation alone gives its label away. The gain is the accuracy from post and explanation less that from the post; LAS
is the mean of the gains on leaking and on non-leaking rows, so that rows that only hand the label over do not decide.

Beside it `gain_pointed`: the gain from telling the simulator only *which n-grams of the post* the explanation repeats.
No word of the explanation's own is used, so that nothing is handed over but the choice of the words; and nothing is
conditioned on the answer.

Both are measured once more with the explanations *exchanged* between posts of the same gold: these hand over as much,
and speak of another post. Only what lies above that is about the post.

What they say: whether explanations carry, or point to, something that helps with this post. What they do not say:
whether they are right, clear or faithful. The simulators are linear over character n-grams, far below a reader: a gain
that needs understanding stays unseen, and values of other simulators are no comparison. LAS has a bias of its own: on the
non-leaking rows the explanation alone is wrong by definition, and a linear simulator adds what it says to the post's
side, so that LAS is below zero for any explanation that leaks much. On SOS-4K, whose explanations a language model wrote
(2,000 rows), LAS is -0.06 [-0.08, -0.03], exchanged -0.07: it hardly tells the two apart. `gain_pointed` is 0.00 there,
exchanged -0.01, and -0.06 for explanations dealt at random. Compare teachers on the same posts; do not read one value
alone. Intervals are over posts, with the simulators as fitted. Labels with too few rows are left out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from . import lexicon, simulator
from .verdict import Row, Settings

LEAST = 20  # rows with and without a label, below which it is left out
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Informative:
    """Of one task. Accuracies are balanced: with and without a label weigh the same, labels weigh the same. `leaking` is
    the share of rows that leak, and the accuracy of the explanation alone. `note` says why something was not measured;
    it is None then."""

    task: str
    rows: int
    labels: tuple[str, ...] = ()
    accuracy_post: float | None = None
    accuracy_both: float | None = None
    leaking: float | None = None
    gain_leaking: float | None = None
    gain_other: float | None = None
    las: float | None = None
    low: float | None = None
    high: float | None = None
    gain_pointed: float | None = None
    gain_pointed_low: float | None = None
    gain_pointed_high: float | None = None
    las_exchanged: float | None = None
    gain_pointed_exchanged: float | None = None
    note: str = ""

    def summary(self) -> dict[str, Any]:
        return asdict(self)


def measure(rows: Sequence[Row], settings: Settings | None = None) -> list[Informative]:
    """One figure a task, on at most `informative_sample` rows chosen by a hash of their id, whatever their order."""
    settings = settings or Settings()
    by_task: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.explanation.strip():
            by_task[row.item.task].append(row)
    return [_task(task, by_task[task], settings) for task in sorted(by_task)]


def _task(task: str, rows: list[Row], settings: Settings) -> Informative:
    rows = sorted(rows, key=lambda r: (_hash(f"{settings.seed}\0{r.id}\0{r.taught.teacher}"), r.id))
    rows = rows[: settings.informative_sample]
    if len(rows) < settings.informative_least:
        return Informative(task, len(rows), note=f"not measured: fewer than {settings.informative_least} rows")
    keys = _labels(rows)
    if not keys:
        return Informative(
            task, len(rows), note=f"not measured: no label with {LEAST} rows with and {LEAST} without it"
        )
    y = np.array([[k in r.item.labels for k in keys] for r in rows])
    fold = simulator.folds([r.item.key for r in rows], settings.informative_folds, settings.seed)
    told = [lexicon.names().sub(" ", r.explanation) for r in rows]
    share = y.mean(0)
    weight = np.where(y, 0.5 / share, 0.5 / (1 - share)) / y.size
    posts = [r.item.text for r in rows]
    sums = _sums(posts, told, y, fold, weight)
    whole, other = sums.sum(1), _sums(posts, [told[i] for i in _exchange(rows)], y, fold, weight).sum(1)
    las, las_other = _las(whole), _las(other)
    draws = _draws(sums, np.unique([r.item.key for r in rows], return_inverse=True)[1], settings.seed)
    figures = {
        "accuracy_post": whole[_POST],
        "accuracy_both": whole[_POST] + whole[2] + whole[3],
        "leaking": whole[0],
        "gain_pointed": whole[_POINTED],
        **_interval("gain_pointed_", draws[:, _POINTED] / draws[:, _ALL]),
        "gain_pointed_exchanged": other[_POINTED],
    }
    drawn = [d for d in map(_las, draws) if d]
    if las and drawn:
        figures |= {"gain_leaking": las[0], "gain_other": las[1], "las": las[2], **_interval("", np.array(drawn)[:, 2])}
    if las and las_other:
        figures["las_exchanged"] = las_other[2]
    note = "" if las and drawn else "LAS is not measured: all rows leak, or none does"
    return Informative(task, len(rows), keys, note=note, **{k: round(float(v), 4) for k, v in figures.items()})


_POST, _POINTED, _ALL = 4, 5, 6  # rows of what `_sums` gives, beside those that `_las` reads


def _sums(posts: list[str], told: list[str], y: np.ndarray, fold: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[7, N], each summed over labels by weight: leaks, does not, gain where it leaks, gain where it does not, right
    from the post, gain by pointing, all."""
    post, explanation, pointed = (x @ x.T for x in simulator.features(posts, told))
    views = {
        "post": post,
        "explanation": explanation,
        "pointed": (post + pointed) / 2,
        "both": (post + pointed + explanation) / 3,
    }
    right = {name: (simulator.predict(kernel, y, fold) > 0) == y for name, kernel in views.items()}
    base, leaks = right["post"].astype(float), right["explanation"]
    gain = right["both"] - base
    each = (leaks, ~leaks, gain * leaks, gain * ~leaks, base, right["pointed"] - base, np.ones_like(base))
    return np.stack([(weight * x).sum(1) for x in each])


def _exchange(rows: list[Row]) -> list[int]:
    """For each row another one with the same gold, whose explanation it gets; itself where there is no other."""
    same: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        same[row.item.labels].append(i)
    out = list(range(len(rows)))
    for group in same.values():
        for i, j in zip(group, [*group[1:], group[0]], strict=True):
            out[i] = j
    return out


def _labels(rows: list[Row]) -> tuple[str, ...]:
    """Labels with enough rows with and without them, parents of others left out; of two that are each other's contrary
    one."""
    every = sorted({k for r in rows for k in r.item.labels})
    parents = {k.split(".")[0] for k in every if "." in k}
    columns: dict[bytes, str] = {}
    for key in every:
        has = np.array([key in r.item.labels for r in rows])
        if key in parents or min(has.sum(), (~has).sum()) < LEAST or (~has).tobytes() in columns:
            continue
        columns.setdefault(has.tobytes(), key)
    return tuple(columns.values())


def _las(sums: np.ndarray) -> tuple[float, float, float] | None:
    """The gain on leaking and on other rows, and their mean; None where there is no row of either."""
    with_, without, a, b = (float(x) for x in sums[:4])
    if with_ <= 0 or without <= 0:
        return None
    return a / with_, b / without, (a / with_ + b / without) / 2


def _draws(sums: np.ndarray, posts: np.ndarray, seed: int) -> np.ndarray:
    """The sums [DRAWS, S] of as many posts drawn with replacement; `sums` is [S, N], `posts` [N] the post of a row."""
    size = int(posts.max()) + 1
    each = np.stack([np.bincount(posts, s, size) for s in sums])
    counts = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), DRAWS)
    return counts @ each.T


def _interval(name: str, drawn: np.ndarray) -> dict[str, float]:
    return {name + "low": float(np.quantile(drawn, 0.025)), name + "high": float(np.quantile(drawn, 0.975))}


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
