"""From two sets of logits (network and n-grams) to calibrated probabilities and decisions, fitted on out-of-fold logits.

Every figure that is reported comes from cross-fitting: a fold's decisions are made with the constants of the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from mentalglm.train.net import columns

RATIOS = (0.25, 0.5, 1.0, 2.0)
PARTNER = 0.25
RARE = 100  # with fewer positives a label shares its slopes with the other rare ones (Platt, pooled)


class Stack(NamedTuple):
    """Calibrated logit of column k = `bias[k]` + network · `network[k]` + n-grams · `grams[k]`; [K, C], [K, C'], [K]."""

    network: np.ndarray
    grams: np.ndarray
    bias: np.ndarray

    def apply(self, e: np.ndarray, g: np.ndarray) -> np.ndarray:
        return e @ self.network.T + g @ self.grams.T + self.bias


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -30, 30)))


def fit_stack(e: np.ndarray, g: np.ndarray, y: np.ndarray, use: np.ndarray, partners: dict[int, int]) -> Stack:
    """`e`, `g` [N, K] logits, `y` [N, K] with NaN where unknown, `use` [N, K] which rows may calibrate a column.

    A column's score is network + ratio · n-grams, the ratio from RATIOS by log loss, then Platt's slope and intercept:
    free weights for each half fit noise where a column has few posts. `partners[k]`: a column that helps column k.
    """
    k = y.shape[1]
    network, grams, bias = np.zeros((k, k)), np.zeros((k, k)), np.zeros(k)
    rare: list[int] = []
    for j in range(k):
        known = use[:, j] & ~np.isnan(y[:, j])
        positives = int(y[known, j].sum())
        if min(positives, int(known.sum()) - positives) < RARE:
            rare.append(j)
            continue
        helped = PARTNER * e[known, partners[j]] if j in partners else 0.0
        ratio, slope, bias[j] = _platt(e[known, j] + helped, g[known, j], y[known, j])
        network[j, j], grams[j, j] = slope, slope * ratio
        if j in partners:
            network[j, partners[j]] = slope * PARTNER
    _pooled(e, g, y, use, rare, network, grams, bias)
    return Stack(network, grams, bias)


def _platt(e: np.ndarray, g: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """The ratio with the lowest log loss, and its slope and intercept."""
    best: tuple[float, float, float, float] | None = None
    for ratio in RATIOS:
        x = (e + ratio * g)[:, None]
        model = LogisticRegression(C=1.0, max_iter=1000).fit(x, y)
        loss = float(np.logaddexp(0, -(2 * y - 1) * model.decision_function(x)).mean())
        if best is None or loss < best[0]:
            best = loss, ratio, float(model.coef_[0, 0]), float(model.intercept_[0])
    assert best is not None
    return best[1:]


def _pooled(
    e: np.ndarray, g: np.ndarray, y: np.ndarray, use: np.ndarray, rare: list[int], network: np.ndarray,
    grams: np.ndarray, bias: np.ndarray,
) -> None:  # fmt: skip
    """Common slopes and an intercept a column for the rare columns."""
    xs, ys = [], []
    for at, j in enumerate(rare):
        known = use[:, j] & ~np.isnan(y[:, j])
        # a weak prior on each column's own intercept keeps it near the common one
        own = np.zeros((int(known.sum()), len(rare)))
        own[:, at] = 1.0
        xs.append(np.concatenate([(e[known, j] + g[known, j])[:, None], own], 1))
        ys.append(y[known, j])
    target = np.concatenate(ys) if ys else np.zeros(0)
    if len(np.unique(target)) < 2:
        for j in rare:
            network[j, j] = grams[j, j] = 0.5
        return
    model = LogisticRegression(C=1.0, max_iter=2000).fit(np.concatenate(xs), target)
    for at, j in enumerate(rare):
        network[j, j] = grams[j, j] = model.coef_[0, 0]
        bias[j] = model.intercept_[0] + model.coef_[0, 1 + at]


def best_threshold(p: np.ndarray, y: np.ndarray) -> float:
    """The threshold on `p` [N] with the best F1, midway between neighbours."""
    order = np.argsort(-p)
    hits = np.cumsum(y[order])
    f1 = 2 * hits / (np.arange(1, len(p) + 1) + max(y.sum(), 1))
    # F1 is jagged: the middle of the range within half a point of the best is steadier than its peak
    near = np.flatnonzero(f1 >= f1.max() - 0.005)
    return float(np.clip((p[order[near[0]]] + p[order[near[-1]]]) / 2, 0.02, 0.9))


def label_thresholds(p: np.ndarray, y: np.ndarray, few: int = 40, lowest: float = 0.25) -> np.ndarray:
    """Thresholds [K]: each label with at least `few` positives moves along a grid to raise micro-F1 plus macro-F1; the
    others share one threshold."""
    grid = np.arange(lowest, 0.72, 0.02)  # mini's lowest: under it rare labels were nearly always wrong
    thresholds = np.full(p.shape[1], 0.3)
    groups = [[j] for j in range(p.shape[1]) if y[:, j].sum() >= few]
    rest = [j for j in range(p.shape[1]) if y[:, j].sum() < few]
    for _ in range(3):
        for members in [*groups, rest] if rest else groups:
            scores = []
            for t in grid:
                thresholds[members] = t
                scores.append(sum(micro_macro(p >= thresholds, y)))
            smooth = np.convolve(np.pad(scores, 1, mode="edge"), np.ones(3) / 3, "valid")
            thresholds[members] = grid[int(np.argmax(smooth))]
    return thresholds


def any_threshold(any_p: np.ndarray) -> float:
    """From here on a post is taken to hold some distortion: 95 % of the distortion set's posts [N] are over it."""
    return float(np.clip(np.quantile(any_p, 0.05), 0.1, 0.6))


def micro_macro(decided: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Micro-F1 and macro-F1 (0 for a label without positives and predictions)."""
    tp, said, true = (decided & (y > 0)).sum(0), decided.sum(0), y.sum(0)
    each = 2 * tp / np.maximum(said + true, 1)
    return float(2 * tp.sum() / max(said.sum() + true.sum(), 1)), float(each.mean())


def with_fallback(p: np.ndarray, thresholds: np.ndarray, any_p: np.ndarray, any_t: float) -> np.ndarray:
    """Decisions [N, K]: labels at or over their threshold; where there is none although some distortion is likely
    (`any_p` at or over `any_t`), the label nearest to its threshold; none at all where `any_p` is under half `any_t`."""
    decided = p >= thresholds
    ratio = p / thresholds
    bare = ~decided.any(1) & (any_p >= any_t)
    decided[bare, ratio[bare].argmax(1)] = True
    decided[any_p < any_t / 2] = False
    return decided


def abstention(p: np.ndarray, y: np.ndarray, threshold: float, target: float) -> tuple[float, float]:
    """The band [low, threshold) of p(high) in which `mini` is not sure: the narrowest that keeps the share of high posts
    that are called low, among the high posts that are not abstained, at or under `target`. Gives (low, coverage)."""
    high = np.sort(p[y > 0])
    for low in np.linspace(threshold, 0.01, 200):
        missed, found = (high < low).sum(), (high >= threshold).sum()
        if missed <= target * max(missed + found, 1):
            return float(low), float(1 - ((p >= low) & (p < threshold)).mean())
    return 0.0, float((p >= threshold).mean())


def recall_table(p: np.ndarray, y: np.ndarray, fold: np.ndarray) -> list[dict[str, float]]:
    """For recalls 0.50 … 0.99 the threshold on p(high) that reaches it on all posts; and, with each fold's threshold from
    the other folds, the recall that was `reached`, the `precision` and the share of low posts called high."""

    def threshold(of: np.ndarray, share: float) -> float:
        high = np.sort(p[of & (y > 0)])
        return float(high[int(np.floor((1 - share) * len(high)))]) if len(high) else 1.0

    out: list[dict[str, float]] = []
    for percent in range(50, 100):
        share, said = percent / 100, np.zeros(len(p), bool)
        for k in np.unique(fold):
            said[fold == k] = p[fold == k] >= threshold(fold != k, share)
        out.append(
            {
                "recall": share,
                "threshold": threshold(np.ones(len(p), bool), share),
                "reached": float(said[y > 0].mean()),
                "precision": float(y[said].mean()) if said.any() else 0.0,
                "false_alarms": float(said[y == 0].mean()) if (y == 0).any() else 0.0,
            }
        )
    return out


def risk_partners() -> dict[int, int]:
    """Risk is helped by "level at least 6", the annotators' own rule for high on another set."""
    return {columns("risk").start: columns("level").start + 5}


def summary(p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Brier, log loss, calibration slope and intercept, and debiased ECE (15 equal-mass bins, Kumar et al. 2019)."""
    q = np.clip(p, 1e-6, 1 - 1e-6)
    z = np.log(q / (1 - q))
    model = LogisticRegression(C=1e6, max_iter=1000).fit(z[:, None], y)
    slope = float(model.coef_[0, 0])
    # intercept with the slope held at one: a Newton iteration
    a = 0.0
    for _ in range(50):
        r = sigmoid(z + a)
        a += float((y - r).sum() / (r * (1 - r)).sum())
    return {
        "n": len(y),
        "positives": int(y.sum()),
        "brier": float(((p - y) ** 2).mean()),
        "log_loss": float(-(y * np.log(q) + (1 - y) * np.log(1 - q)).mean()),
        "slope": slope,
        "intercept": a,
        "ece_debiased": debiased_ece(p, y),
    }


def debiased_ece(p: np.ndarray, y: np.ndarray, bins: int = 15) -> float:
    """Root of the debiased squared calibration error over equal-mass bins (Kumar, Liang, Ma 2019, section 5)."""
    total, n = 0.0, len(p)
    for rows in np.array_split(np.argsort(p), bins):
        if len(rows) < 2:
            continue
        gap = p[rows].mean() - y[rows].mean()
        total += len(rows) / n * (gap**2 - y[rows].mean() * (1 - y[rows].mean()) / (len(rows) - 1))
    return float(np.sqrt(max(total, 0.0)))
