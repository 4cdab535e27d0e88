"""Quality control: each check a pure function with findings out of a closed set of reasons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from mentalglm.build.item import Item, Taught

from .reasons import sentence
from .verdict import KEYS, REASONS, Finding, Row, Settings, Verdict

__all__ = ["KEYS", "REASONS", "Finding", "Row", "Settings", "Verdict", "complaints", "judge"]


def judge(item: Item, taught: Taught, settings: Settings) -> Verdict:
    """Every check of one row. It passes if no finding is a fail."""
    from .checks import CHECKS

    findings = tuple(f for check in CHECKS for f in check(item, taught, settings))
    return Verdict(all(f.verdict != "fail" for f in findings), findings)


def complaints(findings: Iterable[Finding], lang: Literal["zh", "en"] = "zh") -> tuple[str, ...]:
    """What failed, as sentences for a teacher, each once. Signals are not complained of."""
    return tuple(dict.fromkeys(sentence(f.reason, f.detail, lang) for f in findings if f.verdict == "fail"))
