"""Quotes: those given as evidence, and the passages in quotation marks of the explanation, are the post's own words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mentalglm.build.item import Item, Taught

from . import passages
from .lexicon import is_term
from .verdict import Finding, Row, Settings, find


class Quoted(NamedTuple):
    """The passages of an explanation that claim to be the post's words: those that are, those that are not, how many
    of one character there are that are, and how many marks have no partner."""

    good: list[str]
    bad: list[str]
    single: int
    unpaired: int


def quoted(explanation: str, post: str, settings: Settings) -> Quoted:
    """Passages in quotation marks of `quote_from` characters or more that are no name of a label, level or term. A
    name that does stand in the post counts as a quote of it."""
    found = passages.find(explanation)
    good: list[str] = []
    bad: list[str] = []
    single = 0
    for p in found.passages:
        text = p.text.strip()
        if not text:
            continue
        own = passages.verbatim(text, post, settings.whitespace, settings.elision)
        if len(text) < settings.quote_from:
            single += own
        elif is_term(text):
            if own and p.mark not in "「『":
                good.append(text)
        else:
            (good if own else bad).append(text)
    return Quoted(good, bad, single, found.unpaired)


def quotes(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """Every quote verbatim, at least one where one is needed, and evidence no more than its share of the post."""
    answer = taught.answer
    if answer is None:
        return []
    wrong = [q.quote for q in answer.evidence if not q.quote or item.text[q.start : q.end] != q.quote]
    out = [
        f for quote in (*answer.dropped_quotes, *wrong) for f in find(settings, "evidence_not_verbatim", _shown(quote))
    ]
    q = quoted(answer.explanation, item.text, settings)
    out += [f for text in dict.fromkeys(q.bad) for f in find(settings, "quote_not_verbatim", _shown(text))]
    if not (q.good or q.bad or q.single) and _needs_quote(item, taught, settings):
        out += find(settings, "no_quote")
    if q.unpaired:
        out += find(settings, "quote_unclosed", str(q.unpaired))
    if (
        len(item.text) > settings.evidence_from and item.task != "cognitive_pathway"
    ):  # whose evidence is whole sentences
        for key in dict.fromkeys(e.label for e in answer.evidence):
            covered = _covered([(e.start, e.end) for e in answer.evidence if e.label == key])
            if covered > settings.evidence_share * len(item.text):
                out += find(settings, "evidence_over", f"{key}: {covered}/{len(item.text)}")
    return out


def quote_rates(rows: Iterable[Row], settings: Settings | None = None) -> dict[str, Any]:
    """How many quotes are not the post's words. `quotes` are the passages in quotation marks of all explanations;
    `rows_none` the rows with an explanation that quotes nothing, `rows_bad` those with a quote that is not verbatim;
    `evidence` and `evidence_dropped` what teachers gave as evidence, and what of it was not in the post. Shares are null
    where there is nothing to share."""
    settings = settings or Settings()
    n = dict.fromkeys(("rows", "rows_bad", "rows_none", "quotes", "quotes_bad", "evidence", "evidence_dropped"), 0)
    for row in rows:
        answer = row.taught.answer
        if answer is None:
            continue
        q = quoted(answer.explanation, row.item.text, settings)
        n["rows"] += 1
        n["rows_bad"] += bool(q.bad)
        n["rows_none"] += not (q.good or q.bad or q.single)
        n["quotes"] += len(q.good) + len(q.bad)
        n["quotes_bad"] += len(q.bad)
        n["evidence"] += len(answer.evidence) + len(answer.dropped_quotes)
        n["evidence_dropped"] += len(answer.dropped_quotes)
    return {
        **n,
        "share_quotes_bad": _share(n["quotes_bad"], n["quotes"]),
        "share_rows_bad_or_none": _share(n["rows_bad"] + n["rows_none"], n["rows"]),
        "share_evidence_dropped": _share(n["evidence_dropped"], n["evidence"]),
    }


def _needs_quote(item: Item, taught: Taught, settings: Settings) -> bool:
    answer = taught.answer
    if settings.quote_needed != "labelled" or answer is None:
        return settings.quote_needed == "always"
    if answer.further.get("expression") == "none" or answer.further.get("level") == 0:
        return False
    return bool(answer.labels) and any(ch.isalnum() for ch in item.text)


def _covered(spans: list[tuple[int, int]]) -> int:
    """Characters that the spans take together."""
    total, last = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, last))
        last = max(last, end)
    return total


def _shown(quote: str) -> str:
    return f"“{quote}”"


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
