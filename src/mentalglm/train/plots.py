"""Reliability and risk–coverage of suicide risk, from out-of-fold probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mentalglm.models.mini.decide import RISK


def draw(a: dict[str, Any], constants: dict[str, Any], path: Path) -> None:
    """Writes one PNG with both plots."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = np.flatnonzero(a["is_sos_hl_1k"])
    p, y = a["post"][rows, RISK], a["targets"][rows, RISK]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    bins = np.array_split(np.argsort(p), 12)
    said, seen = [p[b].mean() for b in bins], np.array([y[b].mean() for b in bins])
    error = [1.96 * np.sqrt(max(s * (1 - s), 1e-3) / len(b)) for s, b in zip(seen, bins, strict=True)]
    left.plot([0, 1], [0, 1], color="0.7", lw=1)
    left.errorbar(said, seen, yerr=error, fmt="o-", color="#2b6cb0", capsize=2, lw=1.2)
    left.set(xlabel="stated probability of high", ylabel="share that is high", title="Reliability (out of fold)")
    threshold = constants["risk"]["threshold"]
    coverage, miss = curve(p, y, threshold)
    right.plot(coverage, miss, color="#2b6cb0", lw=1.5)
    now = constants["risk"]["unsure_from"]
    sure = (p >= threshold) | (p < now)
    right.plot([sure.mean()], [miss_rate(p, y, threshold, now)], "o", color="#c05621", label="shipped rule")
    right.axhline(constants["risk"]["miss_target"], color="0.7", lw=1, ls="--", label="target")
    right.set(xlabel="coverage (posts not abstained)", ylabel="high posts called low", title="Risk–coverage")
    right.legend(frameon=False)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def miss_rate(p: np.ndarray, y: np.ndarray, threshold: float, low: float) -> float:
    """High posts called low among the high posts that are not abstained."""
    missed, found = ((p < low) & (y > 0)).sum(), ((p >= threshold) & (y > 0)).sum()
    return float(missed / max(missed + found, 1))


def curve(p: np.ndarray, y: np.ndarray, threshold: float) -> tuple[list[float], list[float]]:
    """Coverage and miss rate as the band of abstention below `threshold` grows."""
    lows = np.linspace(threshold, 0.005, 120)
    return [float(1 - ((p >= x) & (p < threshold)).mean()) for x in lows], [miss_rate(p, y, threshold, x) for x in lows]
