"""Crisis resources, from one dated file, and the rule by which they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["Crisis", "Line", "crisis", "needs_crisis"]

Lang = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Line:
    """A telephone line. `kind`: emergency, crisis or youth; `source` says when it is open, as of `source_on`."""

    number: str
    name: str
    hours: str
    region: str
    kind: Literal["emergency", "crisis", "youth"]
    always_open: bool
    source: str
    source_on: date

    def __str__(self) -> str:
        return f"{self.number}  {self.name} · {self.hours} · {self.region}"


@dataclass(frozen=True, slots=True)
class Crisis:
    """What is shown, in this order: title, intro, lines, friends (lines for a friend), note, checked_on."""

    lang: Lang
    title: str
    intro: str
    lines: tuple[Line, ...]
    friends_title: str
    friends: tuple[str, ...]
    note: str
    checked_on: date
    stale_after_days: int

    @property
    def checked(self) -> str:
        """The line that says how old this is."""
        if self.lang == "zh":
            return f"核对日期：{self.checked_on.isoformat()}"
        return f"Checked on {self.checked_on.isoformat()}"

    def is_stale(self, today: date) -> bool:
        return (today - self.checked_on).days > self.stale_after_days

    def __str__(self) -> str:
        """All of it as plain text."""
        numbers = [f"  {line}" for line in self.lines]
        friends = [f"  · {line}" for line in self.friends]
        note = f"{self.note}{self.checked}。" if self.lang == "zh" else f"{self.note} {self.checked}."
        return "\n".join([self.title, self.intro, *numbers, self.friends_title, *friends, note])


@cache
def crisis(lang: Lang = "zh") -> Crisis:
    """The resources in Chinese or English."""
    import tomllib

    data = tomllib.loads(Path(__file__).with_name("crisis.toml").read_text(encoding="utf-8"))
    lines = tuple(
        Line(
            line["number"],
            line[f"name_{lang}"],
            line[f"hours_{lang}"],
            line[f"region_{lang}"],
            line["kind"],
            line["always_open"],
            line["source"],
            line["source_on"],
        )
        for line in data["line"]
    )
    return Crisis(
        lang,
        data[f"title_{lang}"],
        data[f"intro_{lang}"],
        lines,
        "如果你担心的是朋友" if lang == "zh" else "If it is a friend whom you worry about",
        tuple(data[f"friends_{lang}"]),
        data[f"note_{lang}"],
        data["checked_on"],
        data["stale_after_days"],
    )


def needs_crisis(analyses: Mapping[str, Any]) -> bool:
    """Whether the resources are shown beside these analyses of one post.

    They are when suicide risk is `high`, the expression is a wish or above, another person is at present risk or may be
    (`unclear`), or the model is not sure. A missing `expression` is read from the level: a wish begins at 4.
    """
    risk = analyses.get("suicide_risk")
    if not risk or "error" in risk:
        return False
    expression = risk.get("expression")
    wish = expression in ("wish", "plan", "imminent") or (expression is None and (risk.get("level") or 0) >= 4)
    return (
        "high" in risk["labels"] or wish or risk.get("subject") in ("other", "unclear") or bool(risk.get("abstained"))
    )
