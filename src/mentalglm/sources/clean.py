"""A post as its author wrote it: HTML that the crawl left in it is decoded; nothing else changes (masking comes later)."""

from __future__ import annotations

import html
import re

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# Tags of crawled pages. Anything else in angle brackets (`<3`, `<URL>`, a quoted title) is the author's.
_TAG = re.compile(r"</?(?:a|b|br|div|em|font|i|img|li|ol|p|span|strong|u|ul)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/p|/div|/li)\s*/?>", re.IGNORECASE)
_TWICE = 3  # times that an entity is decoded at most: `&amp;amp;nbsp;` is found in the wild


def decode(text: str) -> str:
    """`text` with HTML entities decoded and tags taken out (a line break for one that ends a line); not stripped."""
    for _ in range(_TWICE):
        if "&" not in text or not _ENTITY.search(text):
            break
        text = _ENTITY.sub(lambda m: html.unescape(m.group()), text)
    return _TAG.sub("", _BREAK.sub("\n", text)) if "<" in text else text


def tidy(text: str) -> str:
    """`decode`, with the blanks at both ends taken off."""
    return decode(text).strip()


def with_spans(text: str, spans: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """`tidy(text)`, and where the `spans` of `text` (ascending, disjoint) lie in it, without blanks at their ends.

    A span of which nothing is left becomes an empty one.
    """
    pieces: list[str] = []
    found: list[tuple[int, int]] = []
    at = length = 0
    for start, end in spans:
        for piece in (text[at:start], text[start:end]):
            pieces.append(decode(piece))
            length += len(pieces[-1])
        inside = pieces[-1]
        left = length - len(inside.lstrip()) if inside.strip() else length
        found.append((left, left + len(inside.strip())))
        at = end
    pieces.append(decode(text[at:]))
    whole = "".join(pieces)
    offset = len(whole) - len(whole.lstrip())
    return whole.strip(), [(a - offset, b - offset) if a < b else (0, 0) for a, b in found]
