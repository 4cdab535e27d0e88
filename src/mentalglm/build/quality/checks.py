"""The checks of one row, in the order in which their findings are told."""

from __future__ import annotations

from collections.abc import Callable

from mentalglm.build.item import Item, Taught

from . import form, quotes, safety, wording
from .verdict import Finding, Settings

Check = Callable[[Item, Taught, Settings], list[Finding]]

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
)
