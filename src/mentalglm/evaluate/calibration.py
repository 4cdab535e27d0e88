"""Whether probabilities mean what they say: pooled over labels, with intervals by post or group.

p and y are [N] or [N, K]: the probability of a label and whether it holds (0 or 1). A probability holds for the
population that it was measured on; see `decisions` for others.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import intervals
from .intervals import Interval

BINS = 15
_EDGE = 1e-6  # a probability of 0 or 1 that was wrong would cost an infinite log loss


class Bin(NamedTuple):
    """A point of a reliability diagram: mean probability and share that holds, with its 95 % Wilson interval."""

    n: int
    probability: float
    share: float
    low: float
    high: float


def brier(p: np.ndarray, y: np.ndarray) -> float:
    """The mean squared difference (Brier 1950), of each label by itself: from 0 to 1."""
    return float(((p - y) ** 2).mean())


def log_losses(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The negative log likelihood of each, in nats; probabilities are kept 1e-6 away from 0 and 1."""
    q = np.clip(p, _EDGE, 1 - _EDGE)
    return -np.where(y > 0, np.log(q), np.log1p(-q))


def ece(p: np.ndarray, y: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: the mean gap in bins of equal width (Naeini et al. 2015). It depends on the bins and is
    above 0 by chance alone; see `debiased_ece`."""
    p, y = p.ravel(), y.ravel()
    at = np.minimum((p * bins).astype(int), bins - 1)
    gap = np.bincount(at, p, bins) - np.bincount(at, y, bins)
    return float(np.abs(gap).sum() / len(p))


def debiased_ece(p: np.ndarray, y: np.ndarray, bins: int = BINS) -> float:
    """Root of the debiased squared calibration error over bins of equal mass (Kumar, Liang and Ma 2019, section 5)."""
    p, y = p.ravel(), y.ravel()
    total, n = 0.0, len(p)
    for rows in np.array_split(np.argsort(p, kind="stable"), bins):
        if len(rows) > 1:
            share = y[rows].mean()
            gap = p[rows].mean() - share
            total += len(rows) / n * (gap**2 - share * (1 - share) / (len(rows) - 1))
    return math.sqrt(max(total, 0.0))


def ece_by_chance(p: np.ndarray, seed: int = 0, draws: int = 200) -> float:
    """The debiased ECE under which 95 % of draws stay when every probability is exactly right and labels are
    independent: what to compare `debiased_ece` with."""
    p = p.ravel()
    if len(p) > 200_000:  # there it is nought for any purpose, and sorting a million numbers 200 times is not
        draws = 20
    rng = np.random.default_rng(seed)
    order = np.sort(p)
    drawn = [debiased_ece(order, (rng.random(len(p)) < order).astype(float)) for _ in range(draws)]
    return float(np.quantile(drawn, 0.95))


def reliability(p: np.ndarray, y: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Bins of equal mass, from the lowest probabilities up."""
    p, y = p.ravel(), y.ravel()
    out: list[Bin] = []
    for rows in np.array_split(np.argsort(p, kind="stable"), min(bins, len(p))):
        share = float(y[rows].mean())
        out.append(Bin(len(rows), float(p[rows].mean()), share, *wilson(share, len(rows))))
    return out


def wilson(share: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson interval of a share of `n`."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


class Line(NamedTuple):
    """Logistic recalibration: outcome on the logit of p. A slope under 1 is overconfidence; `intercept` is that with the
    slope held at 1 (calibration in the large): above 0, probabilities are too low (Cox 1958; Van Calster et al. 2019)."""

    slope: Interval
    intercept: Interval


def line(p: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Line:
    """Slope and intercept by maximum likelihood, with intervals from the sandwich variance, which lets the outcomes of a
    group (groups [M], whole numbers) hang together. p, y: [M]. NaN where all outcomes are
    equal or parted by p, and a NaN slope where all probabilities are equal."""
    q = np.clip(p, _EDGE, 1 - _EDGE)
    z = np.log(q) - np.log1p(-q)
    none = Interval(math.nan, math.nan, math.nan, "it cannot be fitted")
    if y.min() == y.max():
        return Line(none, none)
    varied = np.ptp(z) > _EDGE  # one probability for all has no slope
    both = _fit(np.stack([z, np.ones(len(z))], 1), np.zeros(len(z)), y, groups) if varied else None
    large = _fit(np.ones((len(z), 1)), z, y, groups)
    return Line(both[0] if both else none, large[0] if large else none)


def _fit(x: np.ndarray, offset: np.ndarray, y: np.ndarray, groups: np.ndarray) -> list[Interval] | None:
    """Newton's method with halved steps; [coefficients] with 95 % intervals, None where it does not settle."""
    sign = 1 - 2 * y

    def loss(beta: np.ndarray) -> float:
        return float(np.logaddexp(0, sign * (x @ beta + offset)).sum())

    beta = np.zeros(x.shape[1])
    now = loss(beta)
    for _ in range(100):
        r = 1 / (1 + np.exp(-np.clip(x @ beta + offset, -40, 40)))
        hessian = (x * np.maximum(r * (1 - r), 1e-12)[:, None]).T @ x
        step = np.linalg.solve(hessian + 1e-9 * np.eye(len(beta)), x.T @ (y - r))
        while (then := loss(beta + step)) > now + 1e-9 * abs(now) and np.abs(step).max() > 1e-12:
            step /= 2
        beta, now = beta + step, min(now, then)
        if np.abs(step).max() < 1e-8:
            break
    if np.abs(step).max() > 1e-6 or np.abs(beta).max() > 50:  # parted by p: the slope would be infinite
        return None
    inverse = np.linalg.pinv(hessian)
    scores = intervals.summed(x * (y - r)[:, None], groups)
    half = 1.959964 * np.sqrt(np.diag(inverse @ (scores.T @ scores) @ inverse))
    return [Interval(float(b), float(b - h), float(b + h)) for b, h in zip(beta, half, strict=True)]


def summary(p: np.ndarray, y: np.ndarray, groups: np.ndarray | None, samples: int, seed: int) -> dict[str, Any]:
    """Everything above of p, y [N, K] (a column of labels pooled), with intervals by post or group (groups [N])."""
    n, k = p.shape
    units = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    flat, truth = p.ravel(), y.ravel().astype(float)
    losses = np.stack([((p - y) ** 2).sum(1), log_losses(p, y).sum(1), np.full(n, float(k))], 1)
    if groups is None and k == 1:  # posts with the same rounded probability and outcome are one cell
        _, first, times = np.unique(flat + 2 * truth, return_index=True, return_counts=True)
        given = intervals.Cells(losses[first], times)
    else:
        rows = losses if groups is None else intervals.summed(losses, units)
        given = intervals.Cells(rows, np.ones(len(rows), int))
    found = intervals.bca(given, lambda s: s[..., :2] / np.maximum(s[..., 2:3], 1), samples, seed)
    few = min(truth.sum(), len(truth) - truth.sum()) < intervals.FEW_UNITS
    if few:
        found = [Interval(one.value, math.nan, math.nan, "under 5 positives or negatives") for one in found]
    slope, intercept = line(flat, truth, np.repeat(units, k))
    if few:
        slope, intercept = (one._replace(low=math.nan, high=math.nan) for one in (slope, intercept))
    return {
        "n": n,
        "positives": int(truth.sum()),
        "brier": found[0],
        "log_loss": found[1],
        "slope": slope,
        "intercept": intercept,
        "ece": ece(flat, truth),
        "ece_debiased": debiased_ece(flat, truth),
        "ece_by_chance": ece_by_chance(flat, seed),
        "bins": [one._asdict() for one in reliability(flat, truth)],
    }
