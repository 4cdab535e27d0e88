"""Labels of the cognitive pathway under the names that annotators use, and sentences with labels as spans of a post."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from ..tasks import load
from ..tasks.answer import with_parents
from ..text import sentences
from . import clean
from .labelled import Sentence
from .source import Unusable
from .tidy import Fields

_TASK = load("cognitive_pathway")
# Published label strings: `parent` or `parent##child` in Chinese.
STRINGS: dict[str, str] = {
    f"{_TASK.label(label.parent).zh}##{label.zh}" if label.parent else label.zh: label.key for label in _TASK.labels
}
_CLOSING = "。！？!?…～~，,、；;：:”’」』）)】》 \n"
PARENTS = tuple(key for key in _TASK.keys if _TASK.parent(key) is None)
# Codes of the annotation tool: A1 to A5, B1 to B10, C1, C2, D1, D2, in the order of the labels.
CODES: dict[str, str] = {
    f"{letter}{number}": key
    for letter, parent in zip("ABCD", PARENTS, strict=True)
    for number, key in enumerate((k for k in _TASK.keys if _TASK.parent(k) == parent), 1)
}
_LETTERS = dict(zip("ABCD", PARENTS, strict=True))
_BY_NAME = {**STRINGS, **CODES, **_LETTERS, **{key: key for key in _TASK.keys}}


class Span(NamedTuple):
    """A stretch of a post with the label keys that annotators gave it."""

    start: int
    end: int
    labels: tuple[str, ...] = ()


def keys(names: Iterable[object]) -> tuple[str, ...]:
    """The children among the labels called `names` (published strings, codes, keys), each once.

    Raises Unusable for an unknown name, and for a parent without a child."""
    given = [str(name).strip() for name in names]
    if wrong := [name for name in given if name not in _BY_NAME]:
        raise Unusable("unknown_label", f"unknown label {', '.join(repr(name[:40]) for name in wrong)}")
    found = {_BY_NAME[name] for name in given}
    children = tuple(key for key in _TASK.leaves if key in found)
    parents = {_TASK.parent(key) for key in children}
    if alone := [key for key in PARENTS if key in found and key not in parents]:
        raise Unusable("unknown_label", f"{', '.join(alone)} without a child: the sentence's label is not known")
    return children


def parent(name: str) -> str:
    """The parent called `name` (published string, letter A to D, key). Raises Unusable."""
    key = _BY_NAME.get(name)
    if key not in PARENTS:
        raise Unusable("unknown_label", f"unknown parent {name[:40]!r}")
    return key


def place(text: str, spans: list[Span], *, fill: bool = False) -> Fields:
    """`text`, `labels` (with parents) and `sentences` of a labelled post, for text as given with annotated `spans`.

    Spans of the same stretch are joined. fill: what no span covers becomes sentences without a label.
    Raises Unusable for a span outside the text, for two that overlap, and for labels that are no children.
    """
    joined: dict[tuple[int, int], tuple[str, ...]] = {}
    for span in sorted(spans):
        if not 0 <= span.start < span.end <= len(text):
            raise Unusable(
                "bad_span", f"the span {span.start}:{span.end} is outside the text of {len(text)} characters"
            )
        joined[span.start, span.end] = joined.get((span.start, span.end), ()) + span.labels
    bounds = list(joined)
    for one, other in pairwise(bounds):
        if one[1] > other[0]:
            raise Unusable("bad_span", f"the spans {one[0]}:{one[1]} and {other[0]}:{other[1]} overlap")
    if wrong := sorted({x for labels in joined.values() for x in labels if x not in _TASK.leaves}):
        raise Unusable("unknown_label", f"unknown label {', '.join(wrong)}")
    if fill:
        joined = dict(sorted({**joined, **dict.fromkeys(_between(text, bounds), ())}.items()))
    cleaned, moved = clean.with_spans(text, list(joined))
    found = tuple(
        Sentence(a, b, tuple(key for key in _TASK.leaves if key in labels))
        for (a, b), labels in zip(moved, joined.values(), strict=True)
        if a < b
    )
    every = [label for sentence in found for label in sentence.labels]
    return {"text": cleaned, "labels": with_parents(_TASK, every), "sentences": found}


def _between(text: str, bounds: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The sentences of what lies between the spans; punctuation alone is none."""
    edges = [0, *(x for span in bounds for x in span), len(text)]
    found: list[tuple[int, int]] = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        while start and start < end and text[start] in _CLOSING:  # what ends the sentence of the span before
            start += 1
        found += [
            (start + a, start + b)
            for a, b in sentences(text[start:end])
            if any(ch.isalnum() for ch in text[start + a : start + b])
        ]
    return found
