"""Bootstrap intervals of many metrics at once: bias-corrected and accelerated, by post or by group.

A metric is a function of sums over posts. Posts that add the same are one *cell*, and a bootstrap sample is how often
each cell is drawn: the sums of all samples are one matrix product, draws × cells times cells × sums. Source: Efron,
"Better bootstrap confidence intervals", JASA 82 (1987) 171–185; Efron and Tibshirani (1993), chapter 14.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

SAMPLES, LEVEL = 1000, 0.95
FEW_UNITS = 5  # posts or groups under which there is no interval
_BLOCK = 1 << 16  # rows that are drawn from, or left out, at a time
_PART = 50  # samples that are drawn at a time
_NORMAL = NormalDist()


class Cells(NamedTuple):
    """Different rows of sums [U, F], and how many posts or groups have each [U]."""

    rows: np.ndarray
    times: np.ndarray

    @property
    def units(self) -> int:
        return int(self.times.sum())

    @property
    def sums(self) -> np.ndarray:
        return self.times @ self.rows


class Interval(NamedTuple):
    """A value and its bounds; both are NaN where there is no interval, and `note` says why."""

    value: float
    low: float
    high: float
    note: str = ""


def patterns(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different rows of boolean arrays [N, k] or [N] side by side: the first row of each [U], which pattern a row has
    [N], and how often each occurs [U]."""
    code = np.zeros(len(columns[0]), np.int64)
    used = 0
    flat = [c[:, None] if c.ndim == 1 else c for c in columns]
    for column in np.concatenate(flat, 1).T:
        if used == 60:  # the code is full: number what there is anew
            code = np.unique(code, return_inverse=True)[1]
            used = int(code.max()).bit_length()
        code = code * 2 + column
        used += 1
    _, first, inverse, times = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    return first, inverse, times


def cells(
    of: Callable[[np.ndarray], np.ndarray], columns: Sequence[np.ndarray], groups: np.ndarray | None = None
) -> Cells:
    """The cells of boolean `columns`; `of(rows)` gives what the posts with these indices add, [U, F].

    groups [N]: whole numbers from 0; posts of a group are drawn together, and a cell is a group.
    """
    first, inverse, times = patterns(*columns)
    rows = of(first)
    if groups is None:
        return Cells(rows, times)
    return Cells(summed(rows[inverse], groups), np.ones(int(groups.max()) + 1, int))


def summed(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sums of `rows` [N, F] over the posts of each group, [G, F]."""
    size = int(groups.max()) + 1
    return np.stack([np.bincount(groups, column, size) for column in rows.T], -1)


def resampled(given: Cells, samples: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """The sums of bootstrap samples [samples, F]: as many units as there are, drawn with replacement."""
    rng = np.random.default_rng(seed)
    units, many = given.units, len(given.times)
    if many <= max(1000, units // 8):  # few cells: their counts are drawn, not the units
        share = given.times / units
        draws = (rng.multinomial(units, share, size=n) for n in _parts(samples))
        return np.concatenate([w @ given.rows for w in draws])
    rows = given.rows if many == units else np.repeat(given.rows, given.times, axis=0)
    out = np.zeros((samples, rows.shape[1]))
    sizes = [min(_BLOCK, units - start) for start in range(0, units, _BLOCK)]
    # how many of a sample's units come from each block; then which, within it, so that the counts stay in the cache
    split = rng.multinomial(units, np.array(sizes) / units, size=samples)
    for b, size in enumerate(sizes):
        block = rows[b * _BLOCK : b * _BLOCK + size]
        at = 0
        for n in _parts(samples):
            drawn = np.empty((n, size))
            for i in range(n):
                drawn[i] = np.bincount(rng.integers(0, size, split[at + i, b]), minlength=size)
            out[at : at + n] += drawn @ block
            at += n
    return out


def _parts(samples: int) -> Iterator[int]:
    yield from (min(_PART, samples - start) for start in range(0, samples, _PART))


def acceleration(given: Cells, metric: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The acceleration of each metric [M], from leaving out each unit once (jackknife)."""
    sums, rows, times = given.sums, given.rows, given.times
    found = [metric(sums - rows[at : at + _BLOCK]) for at in range(0, len(rows), _BLOCK)]
    left = np.concatenate(found)
    gap = times @ left / times.sum() - left
    square, cube = times @ gap**2, times @ gap**3
    return np.divide(cube, 6 * square**1.5, out=np.zeros(len(square)), where=square > 0)


def bca(
    given: Cells,
    metric: Callable[[np.ndarray], np.ndarray],
    samples: int = SAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    drawn: np.ndarray | None = None,
) -> list[Interval]:
    """Value and BCa interval of each of the metrics that `metric` computes from sums: [..., F] to [..., M].

    drawn: the sums of samples, where they were drawn already. A metric that no sample moves has its value for bounds;
    `exact` mends that for shares.
    """
    value = metric(given.sums)
    if given.units < FEW_UNITS or samples < 1:
        note = f"{given.units} posts or groups" if samples else "no samples were asked for"
        return [Interval(float(v), np.nan, np.nan, note) for v in value]
    found = np.sort(metric(resampled(given, samples, seed) if drawn is None else drawn), axis=0)
    count = len(found)
    under = ((found < value).sum(0) + 0.5 * (found == value).sum(0)) / count
    a = acceleration(given, metric)
    out: list[Interval] = []
    for m, v in enumerate(value):
        column = found[:, m]
        if column[0] == column[-1] == v:
            out.append(Interval(float(v), float(v), float(v), "no bootstrap sample moves it"))
            continue
        z0 = _NORMAL.inv_cdf(float(np.clip(under[m], 0.5 / count, 1 - 0.5 / count)))
        low, high = (
            float(np.quantile(column, _corrected(z0, float(a[m]), q))) for q in ((1 - level) / 2, (1 + level) / 2)
        )
        out.append(Interval(float(v), min(low, float(v)), max(high, float(v))))
    return out


def _corrected(z0: float, a: float, share: float) -> float:
    """The share of the bootstrap distribution that stands for `share` (Efron 1987, equation 2.3)."""
    z = z0 + _NORMAL.inv_cdf(share)
    return _NORMAL.cdf(z0 + z / max(1 - a * z, 1e-9))


def settle(found: Sequence[Interval], support: np.ndarray, trials: np.ndarray, few: int = FEW_UNITS) -> list[Interval]:
    """`found` without the intervals that rest on fewer than `few` positives (support [M]) or cases (trials [M]).

    Where every sample gave 0 or 1, the exact binomial bound of a share of `trials` takes the place of a bound at the
    value itself; not where `trials` is infinite."""
    out: list[Interval] = []
    for one, s, t in zip(found, support, trials, strict=True):
        if np.isnan(one.low):
            out.append(one)
        elif s < few:
            out.append(Interval(one.value, np.nan, np.nan, f"{int(s)} positives, under {few}"))
        elif t < few:
            out.append(Interval(one.value, np.nan, np.nan, f"a share of {int(t)}, under {few}"))
        elif one.low == one.high and one.value in (0.0, 1.0) and np.isfinite(t):
            out.append(exact(one.value, int(t)))
        else:
            out.append(one)
    return out


def exact(value: float, trials: int, level: float = LEVEL) -> Interval:
    """The Clopper-Pearson interval of a share that is 0 or 1 in `trials` tries."""
    if trials < 1:
        return Interval(value, np.nan, np.nan, "no case of it")
    bound = ((1 - level) / 2) ** (1 / trials)
    note = "exact binomial bound: every bootstrap sample gives the same"
    return Interval(1.0, bound, 1.0, note) if value else Interval(0.0, 0.0, 1 - bound, note)


def shows_more(found: Interval, published: float) -> bool:
    """Whether a value is shown to be above a published one: its lower bound is."""
    return bool(found.low > published)
