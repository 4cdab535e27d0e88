"""Evidence: the words of a post that carry a label, chosen from what each character adds to the label's logit.

The spans are what a deletion test checks: without them the label must lose more than without other words of the same
length. At most 30 % of a post is evidence for one label (12 characters where the post has under 40).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

_CLAUSE = re.compile(r"[^，。！？；：、…~～,.!?;:\s\"“”‘’（）()【】\[\]]+")
SPANS = 3
EDGE = 3
NEGATIONS = "没不别未无勿"
SHARE, SHORT, SHORT_BUDGET = 0.3, 40, 12


def budget(length: int) -> int:
    """How many characters of a text of `length` one label's evidence may take, at least 1."""
    if length < SHORT:
        return max(1, min(SHORT_BUDGET, max(2, int(length * 0.75))))
    return int(length * SHARE)


def find(
    added: np.ndarray, text: str, limit: int, edges: Sequence[int] | None = None, most: int = SPANS
) -> list[tuple[int, int]]:
    """The spans of `text` that add most: `added` [len(text)] is what each character adds to the label, `limit` the
    characters that may be taken, `edges` positions where a span may begin or end (token boundaries; all by default).

    A span stays inside a clause, so that it reads; one that takes most of its clause takes all of it where `limit`
    allows; spans with only a blank between them become one. Gives at most `most` spans in ascending order, and at least
    one in a text that is not blank.
    """
    if not text:
        return []
    total = np.concatenate([[0.0], np.cumsum(added, dtype=np.float64)])
    cuts = sorted(set(edges)) if edges is not None else list(range(len(text) + 1))
    clauses = [(m.start(), m.end()) for m in _CLAUSE.finditer(text)] or [(0, len(text))]
    chosen: list[tuple[int, int]] = []
    first = 0.0
    for _ in range(most):
        found = _best(total, clauses, cuts, limit, chosen)
        if found is None:
            break
        gain, start, end = found
        # later spans must add a fair part of what the first did
        if chosen and (gain <= 0 or gain < 0.25 * first):
            break
        first = first or gain
        whole = _widen(start, end, clauses, limit, chosen)
        if whole is None and chosen:
            break  # a further span must read as a clause of its own
        start, end = whole or _to_edges(start, end, clauses, limit, chosen)
        end = _past_negation(start, end, text, limit, chosen)
        chosen.append((start, end))
        limit -= end - start
        if limit < 2:
            break
    return _joined(sorted(chosen), text, limit)


def clause(text: str, start: int, end: int, longest: int) -> tuple[int, int]:
    """The clauses that hold `start:end`, whole, where each has at most `longest` characters; else the span as it is."""
    for m in _CLAUSE.finditer(text):
        if m.start() < end and m.end() > start and m.end() - m.start() <= longest:
            start, end = min(start, m.start()), max(end, m.end())
    return start, end


class _Candidates(NamedTuple):
    """Every span that lies in one clause between two cuts: arrays of one length, clause by clause, starts ascending."""

    start: np.ndarray
    end: np.ndarray
    clause: np.ndarray
    short: np.ndarray  # a single character, although its clause has more


@lru_cache(maxsize=8)  # the labels of a post ask for the same ones
def _candidates(clauses: tuple[tuple[int, int], ...], cuts: tuple[int, ...]) -> _Candidates:
    starts, ends, owners, short = [], [], [], []
    for k, (low, high) in enumerate(clauses):
        inside = np.array([low, *cuts[bisect_right(cuts, low) : bisect_left(cuts, high)], high])
        a, b = np.triu_indices(len(inside), 1)
        starts.append(inside[a])
        ends.append(inside[b])
        owners.append(np.full(len(a), k))
        short.append(inside[b] - inside[a] < min(2, high - low))
    return _Candidates(*map(np.concatenate, (starts, ends, owners, short)))


def _best(
    total: np.ndarray, clauses: list[tuple[int, int]], cuts: list[int], limit: int, taken: list[tuple[int, int]]
) -> tuple[float, int, int] | None:
    """The span of at most `limit` characters that adds most and touches none of `taken`: what it adds, start, end."""
    c = _candidates(tuple(clauses), tuple(cuts))
    fits = (c.end - c.start <= limit) & ~c.short
    for a, b in taken:
        fits &= (c.start >= b) | (c.end <= a)
    gains = np.where(fits, total[c.end] - total[c.start], -np.inf)
    at = int(gains.argmax())
    best = (float(gains[at]), int(c.start[at]), int(c.end[at])) if fits[at] else None
    if not taken:  # a clause without a cut within `limit`: its beginning
        first = int(c.clause[fits.argmax()]) if fits.any() else len(clauses)
        for low, high in clauses[:first]:
            if high - low > limit:
                gain = float(total[low + limit] - total[low])
                return (gain, low, low + limit) if best is None or gain >= best[0] else best
    return best


def _widen(
    start: int, end: int, clauses: list[tuple[int, int]], limit: int, taken: list[tuple[int, int]]
) -> tuple[int, int] | None:
    """The whole clause, where the span is a third of it or more and there is room; else None."""
    for low, high in clauses:
        if low <= start and end <= high:
            room = high - low <= limit and not any(low < b and high > a for a, b in taken)
            return (low, high) if room and (end - start) * 3 >= high - low else None
    return None


def _to_edges(
    start: int, end: int, clauses: list[tuple[int, int]], limit: int, taken: list[tuple[int, int]]
) -> tuple[int, int]:
    """The span, led to the edges of its clause where these are at most three characters away: a word cut in two does
    not read."""
    for low, high in clauses:
        if low <= start and end <= high:
            left = low if start - low <= EDGE else start
            right = high if high - end <= EDGE else end
            for a, b in ((left, right), (left, end), (start, right)):
                if b - a <= limit and not any(a < y and b > x for x, y in taken):
                    return a, b
    return start, end


def _past_negation(start: int, end: int, text: str, limit: int, taken: list[tuple[int, int]]) -> int:
    """Where the span ends so that it does not break off after a negation, which would read as its contrary: "我没" from
    "我没用". The word that follows comes in where there is room; else the negation goes out."""
    if text[end - 1] not in NEGATIONS or end == len(text) or not _CLAUSE.match(text[end]):
        return end
    for further in (2, 1):
        to = end + further
        whole = _CLAUSE.fullmatch(text, end, to) and to <= len(text) and text[to - 1] not in NEGATIONS
        if whole and to - start <= limit and not any(end < b and to > a for a, b in taken):
            return to
    return end - 1 if end - start > 2 else end


def _joined(spans: list[tuple[int, int]], text: str, room: int) -> list[tuple[int, int]]:
    """Spans with nothing, or only white space, between them become one; the white space counts against `room`."""
    out: list[tuple[int, int]] = []
    for start, end in spans:
        gap = start - out[-1][1] if out else 0
        if out and gap <= room and not text[start - gap : start].strip():
            out[-1] = (out[-1][0], end)
            room -= gap
        else:
            out.append((start, end))
    return out
