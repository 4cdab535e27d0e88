"""Plots of the report, where matplotlib is installed (the extra `train`); the base install goes without."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw(found: dict[str, Any], path: Path) -> str:
    """Writes one PNG: rows by reason, and refusals by label. Gives the file's name, or says why there is none."""
    try:
        import matplotlib
    except ImportError:
        return "not drawn: matplotlib is not installed"
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained", width_ratios=(3, 2))
    reasons = sorted(found["reasons"].items(), key=lambda item: item[1]["rows"])
    names = [k for k, _ in reasons]
    fails, signals = ([v[k] for _, v in reasons] for k in ("fail", "warn"))
    left.barh(names, fails, color="#c05621", label="fail")
    left.barh(names, signals, left=fails, color="#cbd5e0", label="signal")
    left.set(xlabel="rows", title=f"Findings ({found['rows']['kept']} of {found['rows']['all']} rows kept)")
    if names:
        left.legend(frameon=False)
    labels = found["refusals"]["by_label"]
    shares = [100 * (v["share"] or 0) for v in labels.values()]
    down = [s - 100 * (v["low"] or 0) for s, v in zip(shares, labels.values(), strict=True)]
    up = [100 * (v["high"] or 0) - s for s, v in zip(shares, labels.values(), strict=True)]
    error = [[max(0.0, x) for x in down], [max(0.0, x) for x in up]]
    right.errorbar(shares, list(labels), xerr=error if shares else None, fmt="o", color="#2b6cb0", capsize=2)
    right.set(xlabel="refused, %", title="Refusals by label (95 %)")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=7)
    # No date and no version of the library in the file: equal rows give equal bytes.
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
    return path.name
