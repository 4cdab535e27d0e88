"""The tidy form of the data folder: UTF-8, one JSON object a line, with `id`, `text` and the set's own fields; and what
other readers share with it: labels by name, levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import clean, lines
from .labelled import Labelled
from .lines import Problem
from .source import Place, Row, Source, numbered, reject

Fields = dict[str, Any]


def read(
    source: Source, place: Place, fields: Callable[[dict[str, Any]], Fields | Problem], text_from: str = "text"
) -> Iterator[Row]:
    """`fields` gives what a row says beside its text, as arguments of `Labelled`, or why the row cannot be used."""
    for number, item in enumerate(lines.objects(place.path), 1):
        if item.problem:
            yield reject(source, place, item.line, *item.problem)
            continue
        given = item.value.get(text_from)
        text = clean.tidy(given) if isinstance(given, str) else ""
        if not text:
            yield reject(source, place, item.line, "empty_text", f"there is no text under {text_from!r}")
            continue
        found = fields(item.value)
        if isinstance(found, tuple):
            yield reject(source, place, item.line, *found, text)
            continue
        id_ = item.value.get("id")
        id_ = id_ if isinstance(id_, str) and id_ else numbered(source.key, place.file.part, number)
        yield Labelled(**{"id": id_, "source": source.key, "part": place.file.part, "task": source.task, "text": text,
                          "language": source.language} | found)  # fmt: skip


def label(row: Mapping[str, Any], known: Mapping[str, str], field: str = "label") -> Fields | Problem:
    """The one label of a tidy row, through `known`."""
    given = row.get(field)
    key = known.get(str(given)) if isinstance(given, str | int) and not isinstance(given, bool) else None
    return {"labels": (key,)} if key else ("unknown_label", f"the label is {str(given)[:40]!r}, none of {_list(known)}")


def labels(row: Mapping[str, Any], known: Mapping[str, str], field: str = "labels") -> Fields | Problem:
    """The labels of a tidy row, through `known`, in its order."""
    given = row.get(field)
    if not isinstance(given, list):
        return "unknown_label", f"{field!r} is no list"
    wrong = [str(x)[:40] for x in given if not isinstance(x, str) or x not in known]
    if wrong:
        return "unknown_label", f"unknown label {', '.join(map(repr, wrong))}"
    return {"labels": tuple(key for name, key in known.items() if name in given)}


def _list(known: Mapping[str, str]) -> str:
    return ", ".join(known) if len(known) <= 12 else f"the {len(known)} known ones"


def level(given: object) -> int | None:
    """A level of expression, 0 to 10, from `8`, `"8"` or `"8.0"`; None for anything else."""
    if isinstance(given, str):
        given = given.strip().removesuffix(".0")
        given = int(given) if given.isascii() and given.isdigit() and len(given) < 3 else None
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 10 else None
