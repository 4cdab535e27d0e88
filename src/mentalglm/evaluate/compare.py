"""Systems against each other on the same posts: paired bootstrap, McNemar, and Holm's correction for many comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from . import intervals, rouge, score
from .intervals import Interval
from .pair import Gold, System

_EXACT = 1000  # discordant posts up to which McNemar's test is exact
_SHOWN = 1.959964 + 0.841621  # standard errors of a difference that is found with power 0.8 at 5 %


class Spread(NamedTuple):
    """Several runs of one system: mean, standard deviation (NaN for one run), least and greatest."""

    mean: float
    sd: float
    low: float
    high: float
    runs: int


def spread(values: Sequence[float]) -> Spread:
    """How far the values of several seeds lie apart."""
    v = np.asarray(values, float)
    return Spread(
        float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else math.nan, float(v.min()), float(v.max()), len(v)
    )


class Difference(NamedTuple):
    """second − first: BCa interval, p of the paired bootstrap (two-sided), and the smallest difference that so many
    posts would show with power 0.8."""

    metric: str
    interval: Interval
    p: float
    smallest: float


def paired(
    gold: Gold, first: Sequence[System], second: Sequence[System], names: Sequence[str], samples: int, seed: int
) -> list[Difference]:
    """Differences of the metrics `names` of two systems, each with one prediction file or several (its seeds: the mean of
    their values is compared). The same posts, or groups, are drawn for both."""
    space, systems = gold.space, [*first, *second]
    if space.kind == "summary":
        given = summary_cells(gold, systems)
        wanted = [rouge.METRICS.index(name) for name in names]
        return _differences(given, _mean(rouge.metric, 7, wanted, len(first), len(second)), names, samples, seed)
    columns = [gold.labels, *(c for s in systems for c in (s.labels, s.failed))]

    def of(at: np.ndarray) -> np.ndarray:
        parts = (score.features(space, gold.labels[at], s.labels[at], s.failed[at]) for s in systems)
        return np.concatenate(list(parts), 1)

    given = intervals.cells(of, columns, gold.groups)
    width = score.Layout(len(space.keys)).width
    table = score.metrics(space, given.sums[:width])
    wanted = [table.names.index(name) for name in names]
    return _differences(given, _mean(table.of, width, wanted, len(first), len(second)), names, samples, seed)


def summary_cells(gold: Gold, systems: Sequence[System]) -> intervals.Cells:
    """What each post, or group, adds to the sums of each system's summaries, side by side."""
    rows = np.concatenate([rouge.features(gold, system) for system in systems], 1)
    if gold.groups is not None:
        rows = intervals.summed(rows, gold.groups)
    return intervals.Cells(rows, np.ones(len(rows), int))


def _mean(
    of: Callable[[np.ndarray], np.ndarray], width: int, wanted: list[int], n: int, m: int
) -> Callable[[np.ndarray], np.ndarray]:
    def metric(sums: np.ndarray) -> np.ndarray:
        each = [of(sums[..., i * width : (i + 1) * width])[..., wanted] for i in range(n + m)]
        return sum(each[n:]) / m - sum(each[:n]) / n  # type: ignore[operator, return-value]

    return metric


def _differences(
    given: intervals.Cells, metric: Callable[[np.ndarray], np.ndarray], names: Sequence[str], samples: int, seed: int
) -> list[Difference]:
    drawn = intervals.resampled(given, samples, seed)
    found = metric(drawn)
    out: list[Difference] = []
    for m, (name, interval) in enumerate(zip(names, intervals.bca(given, metric, drawn=drawn), strict=True)):
        tail = min((found[:, m] <= 0).sum(), (found[:, m] >= 0).sum())
        p = min(1.0, 2 * float(tail + 1) / (len(found) + 1))
        out.append(Difference(name, interval, p, _SHOWN * float(found[:, m].std(ddof=1))))
    return out


def mcnemar(first: np.ndarray, second: np.ndarray) -> tuple[int, int, float]:
    """Posts that only the first, and only the second, has right (booleans [N]), and the two-sided p that both are as often
    right: exact up to 1,000 such posts, then chi-squared with continuity correction (McNemar 1947; Edwards 1948)."""
    b, c = int((first & ~second).sum()), int((~first & second).sum())
    n = b + c
    if n == 0:
        return b, c, 1.0
    if n <= _EXACT:
        tail = sum(math.comb(n, i) for i in range(min(b, c) + 1))
        return b, c, min(1.0, 2 * tail / 2**n)
    z = (abs(b - c) - 1) / math.sqrt(n)
    return b, c, 2 * (1 - NormalDist().cdf(z)) if z < 8 else math.erfc(z / math.sqrt(2))


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in the order given."""
    order = np.argsort(p, kind="stable")
    out, worst = [0.0] * len(p), 0.0
    for rank, at in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * float(p[at])))
        out[int(at)] = worst
    return out


def right(gold: Gold, system: System) -> np.ndarray:
    """Which posts [N] a system has wholly right."""
    return (gold.labels == system.labels).all(1) & ~system.failed


def all_pairs(gold: Gold, systems: dict[str, list[System]], samples: int, seed: int) -> list[dict[str, Any]]:
    """Every two systems on the task's headline metrics; `p_holm` is corrected over all of these, and McNemar's over all
    pairs. McNemar's test takes posts as independent and systems as one file each: where they are not, it is null."""
    out: list[dict[str, Any]] = []
    for a, b in combinations(systems, 2):
        tested = gold.space.kind != "summary" and gold.groups is None and len(systems[a]) == len(systems[b]) == 1
        test = mcnemar(right(gold, systems[a][0]), right(gold, systems[b][0])) if tested else None
        for d in paired(gold, systems[a], systems[b], gold.space.headline, samples, seed):
            out.append(
                {
                    "first": a,
                    "second": b,
                    "metric": d.metric,
                    "difference": d.interval.value,
                    "low": d.interval.low,
                    "high": d.interval.high,
                    "p": d.p,
                    "smallest_shown": d.smallest,
                    "mcnemar": {"only_first": test[0], "only_second": test[1], "p": test[2]} if test else None,
                }
            )
    for row, p in zip(out, holm([row["p"] for row in out]), strict=True):
        row["p_holm"] = p
    tested_rows = {(row["first"], row["second"]): row["mcnemar"] for row in out if row["mcnemar"]}
    for test_row, p in zip(tested_rows.values(), holm([t["p"] for t in tested_rows.values()]), strict=True):
        test_row["p_holm"] = p
    for row in out:  # one test a pair, whichever of its rows it stands in
        row["mcnemar"] = tested_rows.get((row["first"], row["second"]))
    return out
