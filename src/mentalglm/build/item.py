"""What the build passes on from step to step: an item (one post under one task) and what a teacher made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mentalglm.sources.labelled import Sentence
from mentalglm.tasks.answer import Answer

Split = Literal["train", "validation", "test"]
Mode = Literal["given", "hidden"]  # whether the teacher is told the gold label


@dataclass(frozen=True, slots=True)
class Item:
    """One post under one task, merged over all sources that have it; `id` is `KEY-TASK`, and `KEY-TASK-HASH` where an
    English IMHI set asks several questions of one post.

    `labels` is the gold (parents included); `label_from` says which source, or rule, it is from. `level` is the
    annotators' level where they gave one. `parts` is the published split by source. `explanations` are texts that came
    with the post.
    """

    id: str
    key: str
    task: str
    text: str
    labels: tuple[str, ...]
    label_from: str
    level: int | None = None
    sentences: tuple[Sentence, ...] = ()
    sources: tuple[str, ...] = ()  # ids of the Labelled that it was merged from
    parts: tuple[tuple[str, str], ...] = ()  # (source, part)
    explanations: tuple[str, ...] = ()
    summary: dict[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()  # SOURCE:GROUP, whose posts stand in one split
    split: Split = "train"
    disagrees: str = ""  # how another source's label differs, in words; empty where none does


Status = Literal["ok", "refused", "unparsed", "failed"]


@dataclass(frozen=True, slots=True)
class Taught:
    """A teacher's answer to an item. `status`: `refused` is a refusal in the teacher's own words (kept in `raw`),
    `unparsed` an answer that cannot be read, `failed` no answer (never journaled)."""

    teacher: str  # "offline", "existing", or NAME@HOST of a remote one
    mode: Mode
    status: Status
    answer: Answer | None = None
    raw: str = ""
    problem: str = ""
    attempt: int = 1
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)
