"""Quotes as an explanation shows them: short, on one line, in order, at most three for one label."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

MAX_QUOTES = 3
MAX_LENGTH = 40  # code points, the ellipsis among them


def shorten(quote: str) -> str:
    """One printable line of at most 40 characters; inner quotation marks become single ones."""
    shown = "".join(" " if ch.isspace() else ch for ch in quote if ch.isspace() or not _hidden(ch))
    shown = " ".join(shown.split()).translate(_INNER)
    return shown if len(shown) <= MAX_LENGTH else shown[: MAX_LENGTH - 1].rstrip() + "…"


def of_label(evidence: Iterable[Mapping[str, Any]], label: str) -> list[str]:
    """The quotes of `label` (or of its children) as shown, in text order, none inside another."""
    spans = [e for e in evidence if e["label"] == label or e["label"].startswith(label + ".")]
    spans.sort(key=lambda e: (e["start"], -e["end"]))
    shown: list[str] = []
    last = -1
    for e in spans:
        if e["end"] <= last:
            continue
        last = e["end"]
        quote = shorten(e["quote"])
        if quote and quote not in shown:
            shown.append(quote)
    return shown[:MAX_QUOTES]


def joined(quotes: list[str], lang: str) -> str:
    """“a”、“b”和“c”, or “a”, “b” and “c”."""
    marked = [f"“{q}”" for q in quotes if q]
    if len(marked) < 2:
        return "".join(marked)
    comma, last = ("、", "和") if lang == "zh" else (", ", " and ")
    return comma.join(marked[:-1]) + last + marked[-1]


_INNER = str.maketrans("“”", "‘’")


def _hidden(ch: str) -> bool:
    # Controls and bidirectional marks could reorder the line they stand in; the joiner of emoji is harmless.
    return ch != "\u200d" and unicodedata.category(ch) in ("Cc", "Cf", "Cs")
