"""Sentences of a post, as spans of the text as given: the units that the pathway task labels."""

from __future__ import annotations

import re

# A sentence ends at these, taken as a run, with the quotes and brackets that close after them, and emoji. A full stop
# counts in Latin text only: after a word, before white space or the end. What a comma follows goes on: “好吧？”，他说.
_MARK = r"[。！？!?…～~｡\n\r\u2028\u2029\x85]"
_EMOJI = r"[\U0001f1e6-\U0001faff\u2600-\u27bf\ufe0f\u200d]"
_END = re.compile(
    rf"(?>(?:{_MARK}|\.{{2,}}|(?<=[A-Za-z]{{3}})\.(?=\s|$)|(?<=\w\w\w\w)[\U0001f300-\U0001faff])+"
    rf"(?:{_MARK}|\.|[”’」』）)】》\]]|{_EMOJI})*)(?![，,、])"
)
_CJK = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_LONG = 160  # code points; beyond it a run-on sentence is cut at commas


def sentences(text: str) -> list[tuple[int, int]]:
    """Ascending, disjoint `(start, end)` spans in code points; no span is empty or has white space at its ends.

    Splits at 。！？!?…～, line breaks and emoji that end a clause; a post without any of these at spaces beside Chinese
    words, and at commas what is still longer than 160 characters. A piece without two letters or digits (an emoji,
    `……`) joins its neighbour. Every character that is not white space is in exactly one span; a blank text has none.
    """
    cuts = [m.end() for m in _END.finditer(text)]
    pieces = _between(text, cuts)
    if len(pieces) <= 1:
        pieces = [part for piece in pieces for part in _at_spaces(text, *piece)]
    pieces = [part for piece in pieces for part in _at_commas(text, *piece)]
    return _join_scraps(text, pieces)


def _between(text: str, cuts: list[int], start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    end = len(text) if end is None else end
    spans: list[tuple[int, int]] = []
    for a, b in zip([start, *cuts], [*cuts, end], strict=True):
        while a < b and text[a].isspace():
            a += 1
        while b > a and text[b - 1].isspace():
            b -= 1
        if a < b:
            spans.append((a, b))
    return spans


def _at_spaces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    cjk, space = re.compile(_CJK), re.compile(r"\s+")
    cuts = [
        m.end()
        for m in space.finditer(text, start, end)
        if cjk.match(text, m.start() - 1) or (m.end() < end and cjk.match(text, m.end()))
    ]
    return _between(text, cuts, start, end)


def _at_commas(text: str, start: int, end: int) -> list[tuple[int, int]]:
    if end - start <= _LONG:
        return [(start, end)]
    cuts: list[int] = []
    last = start
    for m in re.compile(r"[，,、：:]+").finditer(text, start, end):
        if m.end() - last >= _LONG // 4:
            cuts.append(m.end())
            last = m.end()
    return _between(text, cuts, start, end)


def _join_scraps(text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    waiting: int | None = None  # start of a scrap that belongs to the sentence after it
    for a, b in pieces:
        letters = _letters(text, a, b)
        if letters == 0 and joined and waiting is None:
            joined[-1] = (joined[-1][0], b)
        elif letters < 2:
            waiting = a if waiting is None else waiting
        else:
            joined.append((a if waiting is None else waiting, b))
            waiting = None
    if waiting is not None:
        end = pieces[-1][1]
        joined[-1:] = [(joined[-1][0] if joined else waiting, end)]
    return joined


def _letters(text: str, start: int, end: int) -> int:
    """Letters and digits in the span, counted up to two."""
    letters = 0
    for i in range(start, end):
        letters += text[i].isalnum()
        if letters == 2:
            break
    return letters
