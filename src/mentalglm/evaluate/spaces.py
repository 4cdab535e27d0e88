"""The label space of what is scored: the tasks of the series, the pathway's summaries, and the English IMHI sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np

from mentalglm import tasks
from mentalglm.errors import UserError

SUMMARY = "pathway_summary"
_YES_NO = ("no", "yes")
# The keys that `sources.imhi` reads out of the published label sentences.
IMHI: dict[str, tuple[str, ...]] = {
    "imhi_dr": _YES_NO,
    "imhi_clp": _YES_NO,
    "imhi_dreaddit": _YES_NO,
    "imhi_loneliness": _YES_NO,
    "imhi_multiwd": _YES_NO,
    "imhi_irf": _YES_NO,
    "imhi_sad": (
        *("school", "financial_problem", "family_issues", "social_relationships", "work", "health_issues"),
        *("emotion_turmoil", "everyday_decision_making", "other_causes"),
    ),
    "imhi_swmh": ("none", "suicide", "depression", "anxiety", "bipolar"),
    "imhi_t-sid": ("none", "suicide_or_self_harm", "depression", "ptsd"),
    "imhi_cams": ("none", "bias_or_abuse", "jobs_and_careers", "medication", "relationship", "alienation"),
}
NAMES = (*tasks.NAMES, SUMMARY, *IMHI)
_HEADLINES = {
    "suicide_risk": ("f1", "accuracy"),
    "cognitive_distortion": ("micro_f1", "macro_f1"),
    "cognitive_pathway": ("micro_f1", "macro_f1"),
    SUMMARY: ("rouge1", "rouge2", "rougeL"),
}


@dataclass(frozen=True, slots=True)
class Space:
    """What an answer may be. `kind`: one label, several or none, labels on each sentence, or a summary a parent.

    positive: the label that `f1` is of, in a task with two labels. parents: child → parent. headline: the metrics that
    systems are compared on. names: exact names in Chinese and English that stand for a key.
    """

    name: str
    kind: Literal["single", "multi", "sentence", "summary"]
    keys: tuple[str, ...]
    headline: tuple[str, ...]
    positive: str | None = None
    parents: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    population: str = ""

    @property
    def binary(self) -> bool:
        return self.kind == "single" and len(self.keys) == 2

    def closed(self, labels: np.ndarray) -> np.ndarray:
        """`labels` [N, K] with the parent of every label that stands in them: a child brings its parent."""
        out = labels.copy()
        for child, parent in self.parents.items():
            out[:, self.keys.index(parent)] |= labels[:, self.keys.index(child)]
        return out


@cache
def load(name: str) -> Space:
    """The space of the task `name`; a UserError lists those that there are."""
    if name in IMHI:
        keys = IMHI[name]
        positive = "yes" if keys == _YES_NO else None
        return Space(name, "single", keys, ("weighted_f1", "accuracy"), positive, population="Posts in English (IMHI).")
    if name == SUMMARY:
        return Space(name, "summary", ("event", "belief", "consequence", "disputation"), _HEADLINES[name])
    if name not in tasks.NAMES:
        import difflib

        close = difflib.get_close_matches(name, NAMES, 1, 0.5)
        hint = f"did you mean {close[0]}?" if close else "name one of these with --task"
        raise UserError(f"there is no task {name!r}; what can be scored: {', '.join(NAMES)}", hint)
    task = tasks.load(name)
    return Space(
        name,
        task.kind,
        task.keys,
        _HEADLINES[name],
        "high" if name == "suicide_risk" else None,
        {label.key: label.parent for label in task.labels if label.parent},
        {text: label.key for label in task.labels for text in (label.zh, label.en)},
        task.population_en,
    )
