"""The checks of one row, in the order in which their findings are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mentalglm.build.item import Item, Taught

from . import form, quotes, safety, wording
from .verdict import Finding, Settings

Check = Callable[[Item, Taught, Settings], list[Finding]]


def summaries(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """The sentences of a pathway's summary, by the checks that apply to any sentence: quotes, safety, personal data."""
    if taught.answer is None:
        return []
    out: list[Finding] = []
    relaxed = settings.model_copy(update={"quote_needed": "never"})
    for said in taught.answer.summary.values():
        if said:
            one = replace(taught, answer=replace(taught.answer, explanation=said, evidence=(), dropped_quotes=()))
            for check in (quotes.quotes, safety.safety, safety.privacy):
                out += [f for f in check(item, one, relaxed) if f not in out]
    return out


CHECKS: tuple[Check, ...] = (
    form.form,
    form.label,
    form.consistent,
    quotes.quotes,
    wording.length,
    wording.language,
    wording.repetition,
    wording.restates,
    safety.safety,
    safety.privacy,
    summaries,
)
