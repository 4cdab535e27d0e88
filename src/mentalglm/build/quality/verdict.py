"""What a check says, what it is measured against, and the row that it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mentalglm.build.item import Item, Taught
from mentalglm.tasks import NAMES, Task, load

from .reasons import BY_KEY, KEYS, REASONS, Grade

__all__ = ["KEYS", "REASONS", "Finding", "Grade", "Row", "Settings", "Verdict", "find", "task_of"]

DETAIL = 80  # code points of a detail; what a teacher wrote may be endless


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. `detail` may hold words of the post. Raises ValueError for an unknown reason."""

    check: str
    verdict: Grade
    reason: str
    detail: str = ""

    def __post_init__(self) -> None:
        if self.reason not in BY_KEY:
            raise ValueError(f"no such reason: {self.reason!r}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one row: it passed if no finding is a fail."""

    passed: bool
    findings: tuple[Finding, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of what failed, each once, in the order of the checks."""
        return tuple(dict.fromkeys(f.reason for f in self.findings if f.verdict == "fail"))


@dataclass(frozen=True, slots=True)
class Row:
    """An item, what a teacher made of it, and what the checks found."""

    item: Item
    taught: Taught
    findings: tuple[Finding, ...] = ()

    @property
    def id(self) -> str:
        return self.item.id

    @property
    def explanation(self) -> str:
        return self.taught.answer.explanation if self.taught.answer else ""


class Settings(BaseModel):
    """The section `[quality]` of a recipe: every threshold of the checks. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdicts: dict[str, Literal["fail", "warn", "off"]] = Field(
        default={}, description='What a reason counts for, where it is not to be the default: `evidence_over = "fail"`.'
    )
    whitespace: Literal["exact", "spaces", "ignore"] = Field(
        default="spaces",
        description="White space in quotations: as it is; a run of it (line breaks too) is one space; or none counts.",
    )
    quote_from: int = Field(
        default=2, ge=1, description="Characters from which a passage in quotation marks is a quote."
    )
    elision: bool = Field(default=True, description="Whether “a…b” may stand for a and b, in this order, of the post.")
    quote_needed: Literal["always", "labelled", "never"] = Field(
        default="labelled",
        description="Where an explanation must quote: always; where a label is given, but not for level 0; never.",
    )
    evidence_share: float = Field(
        default=0.5, gt=0, le=1, description="Share of a post that one label's evidence may take."
    )
    evidence_from: int = Field(default=40, ge=0, description="Characters of a post from which that share is looked at.")
    level_tolerance: int = Field(
        default=1,
        ge=0,
        le=10,
        description="Levels by which an answer may differ where the teacher is not told the gold.",
    )
    min_chars: int = Field(default=20, ge=1, description="Code points that an explanation must have.")
    max_chars: int = Field(default=600, ge=1, description="Code points that an explanation may have.")
    language: Literal["zh", "en", "any"] = Field(default="zh", description="The language of explanations.")
    min_chinese: float = Field(
        default=0.7, ge=0, le=1,
        description="Chinese characters among these and foreign words, without quotations; in English, at most the rest.",
    )  # fmt: skip
    repeat_gram: int = Field(default=12, ge=4, description="Characters of a passage that is not to stand twice.")
    max_repeated: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="Share of the explanation, without quotations, that may be such repetition.",
    )
    max_loop: int = Field(default=4, ge=2, description="Times that one to eight characters may follow themselves.")
    min_own: int = Field(
        default=8, ge=0,
        description="Chinese characters (or words) that say more than label names and phrases that fit any post; without "
        "a quotation, more than the definition's words too.",
    )  # fmt: skip
    max_shared_skeletons: float = Field(
        default=0.05, ge=0, le=1, description="Share of rows whose skeleton may stand in another row too."
    )
    near_duplicate: float = Field(
        default=0.9, gt=0, le=1, description="Jaccard similarity of 3-grams from which two explanations are one."
    )
    informative_sample: int = Field(default=1000, ge=0, description="Rows a task on which informativeness is measured.")
    informative_folds: int = Field(default=3, ge=2, description="Folds, by post, of its simulators.")
    informative_least: int = Field(default=200, ge=20, description="Rows below which it is not measured.")
    seed: int = 0

    @field_validator("verdicts")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = [k for k in value if k not in BY_KEY]
        if unknown:
            raise ValueError(f"no such reason: {', '.join(unknown)}; there are {', '.join(KEYS)}")
        return value

    def grade(self, reason: str) -> Grade:
        """`fail` or `warn`; `pass` where the recipe has switched the reason off."""
        changed = self.verdicts.get(reason)
        if changed is None:
            return BY_KEY[reason].grade
        return "pass" if changed == "off" else changed


def find(settings: Settings, reason: str, detail: str = "") -> list[Finding]:
    """The finding as a list of one; of none where the reason is switched off."""
    grade = settings.grade(reason)
    if grade == "pass":
        return []
    shown = " ".join(detail.split())
    shown = shown if len(shown) <= DETAIL else shown[: DETAIL - 1] + "…"
    return [Finding(BY_KEY[reason].check, grade, reason, shown)]


def task_of(item: Item) -> Task | None:
    """The item's task; None for the English ones (`imhi_*`), which have no definition here."""
    return load(item.task) if item.task in NAMES else None


def names_of(keys: Sequence[str]) -> str:
    """Labels as a detail: `high`, `labeling+self_blame`, or a dash where there is none."""
    return "+".join(keys) or "–"
