"""What every reader gives: posts with what their publishers say of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Part = Literal["train", "validation", "test", ""]


class Sentence(NamedTuple):
    """A span `start:end` of the post, in code points, with its label keys: children only, parents are implied."""

    start: int
    end: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One post of a source with what its publishers say of it, for one task.

    `id` is stable: SOURCE-PART-NNNN by the row's place in the published file. `part` is the published split, empty where
    there is none. `labels` are keys of the task; None where the source gives no label of it (a level alone, a clinical
    record without annotation). `question` and `answer` are an instruction as published (IMHI, C-IMHI).
    """

    id: str
    source: str
    part: Part
    task: str
    text: str
    labels: tuple[str, ...] | None = None
    level: int | None = None
    sentences: tuple[Sentence, ...] = ()
    explanation: str | None = None
    summary: dict[str, str] = field(default_factory=dict)
    question: str | None = None
    answer: str | None = None
    language: Literal["zh", "en"] = "zh"
    group: str = ""  # posts of one group stand in one split (one record of a patient, one prompt family)
    extra: dict[str, str] = field(default_factory=dict)
