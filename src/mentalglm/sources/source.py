"""What is known of a set before anything is read: its files as published, in our tidy form, and who made it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from . import clean
from .labelled import Labelled, Part

TIDY = "tidy"  # the form of the project's own data folder: UTF-8, one JSON object a line
RAW = "https://raw.githubusercontent.com"
TEMPLATE = "{base}/{repository}/{commit}/{path}"

# Why a row is no `Labelled`. It is kept beside the others as a `Rejected`.
Code = Literal[
    "encoding",  # bytes that are no text
    "bad_json",
    "cells",  # too few or too many cells
    "truncated",  # the last row of a file, cut off
    "merged_rows",  # several rows in one text: a TSV that was read with csv quoting
    "one_hot",  # columns of which exactly one is 1, and none or several are
    "unknown_label",
    "bad_level",  # no whole number from 0 to 10
    "labels_disagree",  # two statements of the same row's labels
    "empty_text",
    "no_question",  # an instruction whose post and question cannot be told apart
    "bad_span",  # offsets outside the text, or spans that overlap
]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a set. `path` is its path in the repository (POSIX), or in the tidy folder.

    form: which of the set's forms it is in. rows: rows that it holds, header left out; lines: line feeds. sha256: the
    first hex digits that are known. What is not known is None or empty. flat: names under which it is found too when
    somebody has put the files of a set into one folder; its own name unless given. role: `rows` are read in the first
    form that is there, `more` always, `aux` gives no rows itself (a label list, raw data that splits are taken from).
    """

    path: str
    part: Part
    form: str
    rows: int | None = None
    bytes: int | None = None
    lines: int | None = None
    sha256: str = ""
    encoding: Literal["utf-8", "gb18030", ""] = "utf-8"  # empty: not text (Parquet)
    flat: tuple[str, ...] | None = None
    role: Literal["rows", "more", "aux"] = "rows"

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


class Place(NamedTuple):
    """A file of a set and where it lies on this machine."""

    file: File
    path: Path


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be used, with why. `line` counts from 1 (for JSON arrays: the item). `text` is what could be
    read of it: a post, to be kept where posts are kept."""

    id: str
    source: str
    file: str
    line: int
    code: Code
    reason: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


Row = Labelled | Rejected


@dataclass(frozen=True, slots=True)
class Reading:
    """All rows of a set: those that can be used, in order, and beside them those that cannot."""

    rows: tuple[Labelled, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A published set.

    read: the rows of one of its files, given all of its files that are there; it raises UserError for a file that is
    not what it should be. forms: the forms of its files, the preferred first. unfetchable: why `fetch` cannot bring
    it, empty where it can. folder: where the files of a set that ships with the project lie. refs: further commits or
    branches with the same files, for a server that does not know the first (the checksum decides).
    """

    key: str
    zh: str
    en: str
    task: str
    licence: str
    paper: str
    files: tuple[File, ...]
    read: Callable[[Source, Place, Sequence[Place]], Iterator[Row]]
    forms: tuple[str, ...] = (TIDY,)
    language: Literal["zh", "en"] = "zh"
    repository: str = ""
    commit: str = ""
    refs: tuple[str, ...] = ("HEAD",)
    template: str = TEMPLATE
    unfetchable: str = ""
    folder: Path | None = None
    own: bool = False  # a table or records of one's own: nothing is read unless every file is there
    personal: bool = False  # records of patients: `check` looks for what de-identification has left
    about: str = ""  # one line that a reader of the list should know

    @property
    def published(self) -> tuple[File, ...]:
        return tuple(f for f in self.files if f.form != TIDY)

    @property
    def home(self) -> str:
        """The folder that `fetch` puts the files under: sets of one repository share it."""
        return self.repository.rsplit("/", 1)[-1] or self.key


# A line break and then cells: no post of a table that has a row a line can hold this.
_MERGED = re.compile(r"\n[^\n]{0,400}\t")


class Unusable(Exception):
    """One row cannot be used; the others go on."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code: Code = code
        self.reason = reason


def attempt(source: Source, place: Place, line: int, text: str, make: Callable[[], Labelled]) -> Row:
    """What `make` gives, or the rejected row where it raises Unusable; `text` is what is kept of it."""
    try:
        return make()
    except Unusable as error:
        part = {"validation": "val", "": "row"}.get(place.file.part, place.file.part)
        id_ = f"{source.key}-{part}-line{line}"
        return Rejected(id_, source.key, place.file.path, line, error.code, error.reason, text)


def labelled(source: Source, place: Place, id_: str, text: str, **fields: Any) -> Labelled:
    """A row of `place`, its text decoded and stripped. Raises Unusable for an empty one."""
    text = clean.tidy(text)
    if not text:
        raise Unusable("empty_text", "the text is empty")
    if not source.own and _MERGED.search(text):
        raise Unusable("merged_rows", "its text holds further rows: the table was read with quotation marks as quotes")
    given: dict[str, Any] = {"part": place.file.part, "task": source.task, "language": source.language} | fields
    return Labelled(id=id_, source=source.key, text=text, **given)


def numbered(prefix: str, part: str, number: int, width: int = 4) -> str:
    """The id of a row by its place (from 1) in the published file: `sos_hl_1k-train-0001`."""
    return f"{prefix}-{'val' if part == 'validation' else part or 'all'}-{number:0{width}d}"
