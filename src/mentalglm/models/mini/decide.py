"""From logits to labels, probabilities and "not sure": the constants come from out-of-fold predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mentalglm.errors import UserError
from mentalglm.models.given import point_of
from mentalglm.schema import SUBJECTS

RISK, LEVEL, SUBJECT, ATTEMPT, ANY, DISTORTION = 0, slice(1, 11), slice(11, 15), 15, 16, slice(17, 29)
COLUMNS, CHILDREN = 29, 19


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -30, 30)))


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


@dataclass(frozen=True, slots=True)
class Constants:
    """What calibration.json holds, as arrays. `network`, `grams` [C, C] and `bias` [C] make calibrated logits of the
    post-level columns; `child_*` [K] those of the pathway's children."""

    read_bias: np.ndarray
    child_read_bias: np.ndarray
    network: np.ndarray
    grams: np.ndarray
    bias: np.ndarray
    child_network: np.ndarray
    child_grams: np.ndarray
    child_bias: np.ndarray
    distortion_thresholds: np.ndarray
    child_thresholds: np.ndarray
    raw: dict[str, Any]


def constants(raw: dict[str, Any]) -> Constants:
    def array(name: str) -> np.ndarray:
        return np.array(raw[name], np.float32)

    return Constants(
        array("read_bias"), array("child_read_bias"), array("network"), array("grams"), array("bias"),
        array("child_network"), array("child_grams"), array("child_bias"), array("distortion_thresholds"),
        array("child_thresholds"), raw,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Risk:
    """How suicide risk is decided: at or over `threshold` high, from `unsure_from` on not sure, else low. The decision is
    made on the probability as calibrated; for another `prevalence` only the stated one is moved."""

    threshold: float
    unsure_from: float
    shift: float = 0.0  # added to the logit of the stated probability
    prevalence: float | None = None
    operating_point: str | None = None

    def stated(self, logit: float) -> float:
        return float(sigmoid(np.array(logit + self.shift)))


def risk_rule(c: Constants, prevalence: float | None, recall: float | None) -> Risk:
    """`recall` picks the threshold that reaches it; `prevalence` moves the stated probability (Saerens et al. 2002) and
    no decision, or a rare condition would turn nearly every post into a sure `low`."""
    rule = c.raw["risk"]
    threshold, unsure = float(rule["threshold"]), float(rule["unsure_from"])
    if recall is not None:
        table = rule["recall_table"]
        fitting = [row for row in table if row["recall"] >= recall - 1e-9]
        if not fitting:
            highest = table[-1]["recall"]
            raise UserError(f"recall={recall:g} is more than could be measured", f"ask for recall={highest:g} or less")
        threshold = unsure = float(fitting[0]["threshold"])
    shift = 0.0 if prevalence is None else _logit(prevalence) - _logit(float(rule["prevalence"]))
    return Risk(threshold, unsure, shift, prevalence, point_of(recall))


def contradicts(high: bool, level: int, subject: str) -> bool:
    """Two outputs that do not go together, so that `mini` is not sure: high, though nobody's own wish is read (a news
    item, a story); or low, though the level is that of a method or plan."""
    return level <= 3 and subject in ("none", "other") if high else level >= 6


# A step of the level is taken from this probability on. Under one half the level leans to the severe side: out of fold
# 0.4 raised the quadratic kappa, lowered the mean error and missed fewer posts at levels 9-10 than 0.5.
LEVEL_STEP = 0.4


def level_of(logits: np.ndarray) -> int:
    """How many of "at least 1 … 10" [10] have at least the probability LEVEL_STEP."""
    p = np.minimum.accumulate(sigmoid(logits))
    return int((p >= LEVEL_STEP).sum())


def subject_of(logits: np.ndarray, level: int) -> str:
    """Whose risk. A wish or plan of the author's own is never `none`; `unclear` where two answers are close."""
    z = logits - logits.max()
    p = np.exp(z) / np.exp(z).sum()
    best, second = np.sort(p)[::-1][:2]
    choice = SUBJECTS[int(p.argmax())]
    if best - second < 0.08 and {"self", "other"} == {SUBJECTS[i] for i in np.argsort(-p)[:2]}:
        return "unclear"
    if choice == "none" and level >= 4:
        return "self"
    return choice


def distortions_of(p: np.ndarray, any_p: float, c: Constants) -> tuple[list[int], bool]:
    """Labels over their thresholds, and whether `mini` is unsure. Where some distortion is likely but no label reaches
    its own, the nearest is given; where none is likely, none."""
    t, any_t = c.distortion_thresholds, float(c.raw["any_threshold"])
    ratio = p / t
    chosen = np.flatnonzero(ratio >= 1)
    if not len(chosen) and any_p >= any_t:
        chosen = np.array([int(ratio.argmax())])
    if any_p < any_t / 2:
        chosen = np.zeros(0, np.int64)
    low, high = c.raw["distortion_unsure"]
    return [int(i) for i in sorted(chosen, key=lambda i: -p[i])], bool(low <= any_p < high)
