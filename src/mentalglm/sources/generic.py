"""A table of one's own (JSONL, CSV, TSV, Parquet), read with a mapping that the recipe gives."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .. import rows as tables
from .. import tasks
from ..errors import UserError
from ..rows.columns import listed
from ..schema import BadRow, Post
from . import clean, pathway, tidy
from .labelled import Labelled, Part
from .source import Code, File, Place, Row, Source, Unusable, attempt, labelled, numbered

_PARTS: dict[str, Part] = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "": "",
}  # fmt: skip
_CODES: dict[str, Code] = {"encoding": "encoding", "bad_json": "bad_json", "bad_row": "cells"}
_TRUE, _FALSE = ("1", "1.0", "true", "yes", "是"), ("0", "0.0", "false", "no", "否", "")


class Mapping(BaseModel):
    """What the columns of a table mean.

    files: for each split (`train`, `validation`, `test`, or `all` where there is none) its files, in the data folder.
    labels: the column with the label, or labels parted by `separator` (or a list, in JSON and Parquet); or several
    columns of 0 and 1, named by their label. label_map: their label to our key; empty for "no label". Label keys and
    names of the task need no entry. part: a column with the split, where one file holds several. group: a column whose
    rows must stay together. keep: further columns to carry along.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    task: str = Field(min_length=1)
    files: dict[Literal["train", "validation", "test", "all"], str | list[str]] = Field(min_length=1)
    text: str = "text"
    id: str | None = None
    labels: str | list[str] | None = None
    separator: str = ""
    label_map: dict[str, str] = {}
    level: str | None = None
    explanation: str | None = None
    part: str | None = None
    group: str | None = None
    keep: list[str] = []
    language: Literal["zh", "en"] = "zh"
    name: str = ""
    licence: str = "not stated"
    paper: str = ""

    @field_validator("label_map")
    @classmethod
    def _known(cls, value: dict[str, str], info: Any) -> dict[str, str]:
        task = info.data.get("task")
        if task in tasks.NAMES:
            allowed = {*tasks.load(task).keys, ""}
            if wrong := sorted({v for v in value.values() if v not in allowed}):
                raise ValueError(f"{', '.join(wrong)}: no label of {task} (`mentalglm tasks {task}` lists them)")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Mapping:
        if self.labels is None and (self.separator or self.label_map):
            raise ValueError("separator or label_map is given, and labels is not")
        return self


def source(mapping: Mapping) -> Source:
    """The set that a mapping describes, to be read like any other."""
    files: list[File] = []
    for word, given in mapping.files.items():
        for path in [given] if isinstance(given, str) else given:
            binary = PurePosixPath(path).suffix.lower() in (".parquet", ".pq")
            files.append(
                File(path, _PARTS[word.replace("all", "")], "table", encoding="" if binary else "utf-8", flat=())
            )
    name = mapping.name or mapping.key
    return Source(
        key=mapping.key, zh=name, en=name, task=mapping.task, language=mapping.language, licence=mapping.licence,
        paper=mapping.paper, files=tuple(files), forms=("table",), unfetchable="it is a table of your own", own=True,
        read=lambda source, place, places: _read(mapping, source, place, places),
    )  # fmt: skip


def _read(mapping: Mapping, source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    if place == places[0]:
        _look_through(mapping, places)
    seen: Counter[str] = Counter()
    for number, post in enumerate(_posts(mapping, place), 1):
        shown = post.text if isinstance(post, Post) else ""
        row = attempt(source, place, number, shown, lambda n=number, x=post: _row(mapping, source, place, n, x))
        if isinstance(row, Labelled):
            seen[row.id] += 1
            if seen[row.id] > 1:  # a repeated id is kept, told apart
                row = dataclasses.replace(row, id=f"{row.id}~{seen[row.id]}")
        yield row


def _posts(mapping: Mapping, place: Place) -> Iterator[Post | BadRow]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of duplicate ids, which are told apart here
        yield from tables.read(place.path, mapping.text, mapping.id)


def _look_through(mapping: Mapping, places: Sequence[Place]) -> None:
    """Raises one UserError that names every column that is not there and every label that is not known."""
    wanted = [c for c in (mapping.level, mapping.explanation, mapping.part, mapping.group, *mapping.keep) if c]
    wanted += [mapping.labels] if isinstance(mapping.labels, str) else mapping.labels or []
    unknown: Counter[str] = Counter()
    problems: list[str] = []
    for place in places:
        names: dict[str, None] = {}
        for post in _posts(mapping, place):
            if isinstance(post, Post):
                names |= dict.fromkeys(post.extra)
                if isinstance(mapping.labels, str):
                    given = _strings(mapping, post.extra.get(mapping.labels))
                    unknown.update(label for label in given if _key(mapping, label) is None)
        if missing := [c for c in wanted if c not in names]:
            problems.append(f"{place.path} has no column {', '.join(map(repr, missing))}; it has {listed([*names])}")
    if isinstance(mapping.labels, list):
        unknown.update(label for label in mapping.labels if _key(mapping, label) is None)
    if unknown:
        shown = ", ".join(f"{label[:40]!r} ({n})" for label, n in unknown.most_common(20))
        more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
        problems.append(f"unknown labels in {mapping.key}: {shown}{more}")
    if problems:
        raise UserError("; ".join(problems), "name them in the recipe's mapping (label_map, columns)")


def _key(mapping: Mapping, label: str) -> str | None:
    """Our key for their label: empty for "no label", None where nothing says."""
    if label in mapping.label_map:
        return mapping.label_map[label]
    if mapping.task not in tasks.NAMES:  # a task that we have no list for: its labels are what the table says
        return None if mapping.label_map else label
    task = tasks.load(mapping.task)
    if task.kind == "sentence":
        try:
            return "|".join(pathway.keys([label]))
        except Unusable:
            return None
    return next((x.key for x in task.labels if label.lower() in (x.key, x.zh, x.en.lower())), None)


def _strings(mapping: Mapping, given: Any) -> list[str]:
    if isinstance(given, str):
        stripped = given.strip()
        if stripped.startswith("[") and stripped.endswith("]"):  # a list that a CSV holds as text
            try:
                given = json.loads(stripped.replace("'", '"'))
            except ValueError:
                given = [stripped]
        else:
            given = stripped.split(mapping.separator) if mapping.separator else [stripped]
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    every = given if isinstance(given, list) else [] if given is None else [given]
    return [text for x in every if (text := str(x).strip())]


def _row(mapping: Mapping, source: Source, place: Place, number: int, post: Post | BadRow) -> Labelled:
    if isinstance(post, BadRow):
        raise Unusable(_CODES.get(post.code, "empty_text"), post.message)
    extra = post.extra
    part = place.file.part
    if mapping.part:
        word = str(extra.get(mapping.part) or "").strip().lower()
        if word not in _PARTS:
            raise Unusable("unknown_label", f"the split is {word[:20]!r}, none of {', '.join(x for x in _PARTS if x)}")
        part = _PARTS[word]
    fields: dict[str, Any] = {"part": part, "labels": _labels(mapping, extra)}
    if mapping.level:
        fields["level"] = tidy.level(extra.get(mapping.level))
    if mapping.explanation and isinstance(said := extra.get(mapping.explanation), str):
        fields["explanation"] = clean.tidy(said) or None
    if mapping.group and (group := extra.get(mapping.group)) not in (None, ""):
        fields["group"] = f"{mapping.key}/{group}"
    fields["extra"] = {c: str(extra[c]) for c in mapping.keep if extra.get(c) is not None}
    id_ = f"{mapping.key}-{post.id}" if mapping.id else numbered(mapping.key, part, number)
    text = post.text
    if fields["labels"] is not None and mapping.task == "cognitive_pathway":
        fields |= pathway.place(text, [pathway.Span(0, len(text), fields["labels"])])
        text = fields.pop("text")
    return labelled(source, place, id_, text, **fields)


def _labels(mapping: Mapping, extra: dict[str, Any]) -> tuple[str, ...] | None:
    if mapping.labels is None:
        return None
    if isinstance(mapping.labels, str):
        given = _strings(mapping, extra.get(mapping.labels))
        found = [key for label in given for key in (_key(mapping, label) or "").split("|") if key]
    else:
        given = [column for column in mapping.labels if _flag(column, extra.get(column))]
        found = [key for column in given for key in (_key(mapping, column) or "").split("|") if key]
    found = list(dict.fromkeys(found))
    if mapping.task not in tasks.NAMES:
        return tuple(found)
    task = tasks.load(mapping.task)
    if task.kind == "single" and len(found) != 1:
        raise Unusable("one_hot", f"{len(found)} labels where the task has one")
    return tuple(key for key in task.keys if key in found)


def _flag(column: str, given: Any) -> bool:
    said = "" if given is None else str(given).strip().lower()
    if said in _TRUE:
        return True
    if said in _FALSE:
        return False
    raise Unusable("unknown_label", f"{column!r} is {said[:20]!r}, neither 0 nor 1")
