"""The tidy form of the data folder: UTF-8, one JSON object a line, with `id`, `text` and the set's own fields; and what
other readers share with it: labels by name, levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import lines
from .labelled import Labelled
from .source import Place, Row, Source, Unusable, attempt, labelled, numbered

Fields = dict[str, Any]


def read(
    source: Source, place: Place, fields: Callable[[dict[str, Any]], Fields], text_from: str = "text"
) -> Iterator[Row]:
    """`fields` gives what a row says beside its text, as arguments of `Labelled`; it may give the text too, and raises
    Unusable for a row that cannot be used."""
    for number, item in enumerate(lines.objects(place.path), 1):
        given = item.value.get(text_from)

        def make(number: int = number, item: lines.Item = item, given: Any = given) -> Labelled:
            row = item.take()
            if not isinstance(given, str):
                raise Unusable("empty_text", f"there is no text under {text_from!r}")
            id_ = row.get("id")
            id_ = id_ if isinstance(id_, str) and id_ else numbered(source.key, place.file.part, number)
            return labelled(source, place, **{"id_": id_, "text": given} | fields(row))

        yield attempt(source, place, item.line, given if isinstance(given, str) else "", make)


def label(row: Mapping[str, Any], known: Mapping[str, str], field: str = "label") -> Fields:
    """The one label of a row, through `known`. Raises Unusable."""
    given = row.get(field)
    key = known.get(str(given)) if isinstance(given, str | int) and not isinstance(given, bool) else None
    if key is None:
        raise Unusable("unknown_label", f"the label is {str(given)[:40]!r}, none of {', '.join(known)}")
    return {"labels": (key,)}


def labels(row: Mapping[str, Any], known: Mapping[str, str], field: str = "labels") -> Fields:
    """The labels of a row, through `known`, in its order. Raises Unusable."""
    given = row.get(field)
    if not isinstance(given, list):
        raise Unusable("unknown_label", f"{field!r} is no list")
    if wrong := [str(x)[:40] for x in given if not isinstance(x, str) or x not in known]:
        raise Unusable("unknown_label", f"unknown label {', '.join(map(repr, wrong))}")
    return {"labels": tuple(key for name, key in known.items() if name in given)}


def level(given: object) -> int:
    """A level of expression, 0 to 10, from `8`, `"8"` or `"8.0"`. Raises Unusable for anything else."""
    found = given
    if isinstance(found, str):
        found = found.strip().removesuffix(".0")
        found = int(found) if found.isascii() and found.isdigit() and len(found) < 3 else None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= 10:
        raise Unusable("bad_level", f"the level is {str(given)[:20]!r}, not 0 to 10")
    return found
