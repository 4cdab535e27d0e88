"""What acting on the answers would bring: risk and coverage, net benefit, predictive values elsewhere, the recall gate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import intervals
from .intervals import Interval
from .score import ratio

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)  # of the probability of high, from which one would refer
PREVALENCES = (0.001, 0.01, 0.1, 0.48)
RECALL_GATE = 0.9


class RiskCoverage(NamedTuple):
    """points: (share answered, error rate among them), from the surest on. aurc: the area under the curve, that is the
    mean error rate over all coverages; `best`: with errors last; `chance`: with confidence that says nothing."""

    points: list[tuple[float, float]]
    aurc: float
    best: float
    chance: float


def risk_coverage(confidence: np.ndarray, wrong: np.ndarray, shown: int = 40) -> RiskCoverage:
    """The risk-coverage curve (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017). confidence, wrong: [N].

    Posts of equal confidence are answered together: each stands for the mean error of its tie.
    """
    n = len(wrong)
    order = np.argsort(-confidence, kind="stable")
    _, tie = np.unique(-confidence[order], return_inverse=True)
    mean = np.bincount(tie, wrong[order]) / np.bincount(tie)
    errors = np.cumsum(mean[tie])
    answered = np.arange(1, n + 1)
    risk = errors / answered
    at = np.unique(np.linspace(1, n, min(shown, n)).round().astype(int)) - 1
    best = np.cumsum(np.sort(wrong.astype(float))) / answered
    points = [(float(answered[i] / n), float(risk[i])) for i in at]
    return RiskCoverage(points, float(risk.mean()), float(best.mean()), float(wrong.mean()))


def net_benefit(
    p: np.ndarray, y: np.ndarray, groups: np.ndarray | None, samples: int, seed: int,
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> list[dict[str, Any]]:  # fmt: skip
    """Net benefit of referring from each probability on, per post: true positives minus false ones, these weighed by the
    odds of the threshold; beside referring all and none, which is 0 (Vickers and Elkin 2006). p, y: [N]."""
    referred = p[:, None] >= np.array(thresholds)
    high = y > 0

    def of(at: np.ndarray) -> np.ndarray:
        right, false = referred[at] & high[at, None], referred[at] & ~high[at, None]
        return np.concatenate([right, false, np.ones((len(at), 1)), high[at, None]], 1).astype(float)

    t, odds = len(thresholds), np.array(thresholds) / (1 - np.array(thresholds))
    given = intervals.cells(of, [referred, high], groups)
    found = intervals.bca(given, lambda s: (s[..., :t] - s[..., t : 2 * t] * odds) / s[..., 2 * t : 2 * t + 1],
                          samples, seed)  # fmt: skip
    share = high.mean()
    few = min(high.sum(), (~high).sum()) < intervals.FEW_UNITS
    return [
        {
            "threshold": threshold,
            "net_benefit": one._replace(low=np.nan, high=np.nan) if few else one,
            "refer_all": float(share - (1 - share) * threshold / (1 - threshold)),
            "referred": float(referred[:, j].mean()),
        }
        for j, (threshold, one) in enumerate(zip(thresholds, found, strict=True))
    ]


def predictive_values(
    said: np.ndarray, y: np.ndarray, groups: np.ndarray | None, samples: int, seed: int,
    prevalences: tuple[float, ...] = PREVALENCES,
) -> list[dict[str, Any]]:  # fmt: skip
    """PPV and NPV where another share of posts is high, from sensitivity and specificity here: that these carry over is
    assumed, and a public stream is another population. said, y: booleans [N]."""
    given = intervals.cells(lambda at: _four(said[at], y[at]), [said, y], groups)
    prevalence = np.array(prevalences)

    def metric(s: np.ndarray) -> np.ndarray:
        sensitivity = ratio(s[..., 0], s[..., 0] + s[..., 2])[..., None]
        specificity = ratio(s[..., 3], s[..., 3] + s[..., 1])[..., None]
        hit, false = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
        missed, cleared = prevalence * (1 - sensitivity), (1 - prevalence) * specificity
        return np.concatenate([ratio(hit, hit + false), ratio(cleared, cleared + missed)], -1)

    found = intervals.bca(given, metric, samples, seed)
    if min(y.sum(), (~y).sum()) < intervals.FEW_UNITS:
        found = [one._replace(low=np.nan, high=np.nan) for one in found]
    k = len(prevalences)
    return [{"prevalence": share, "ppv": found[j], "npv": found[k + j]} for j, share in enumerate(prevalences)]


def _four(said: np.ndarray, y: np.ndarray) -> np.ndarray:
    """True and false positives, false and true negatives [N, 4]."""
    return np.stack([said & y, said & ~y, ~said & y, ~said & ~y], 1).astype(float)


def gate(recall: Interval, target: float = RECALL_GATE) -> dict[str, Any]:
    """The recall of high as a gate of its own, whatever F1 says: `passed` where the lower bound reaches the target, `not
    shown` where only the value does, `failed` where neither does."""
    low = recall.low if not np.isnan(recall.low) else -1.0
    verdict = "passed" if low >= target else "not shown" if recall.value >= target else "failed"
    return {"recall": recall, "target": target, "verdict": verdict}
