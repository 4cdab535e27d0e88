"""A task is data, one TOML beside this file, read into frozen records. The list is explicit; nothing is discovered."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ..errors import UserError

NAMES = ("suicide_risk", "cognitive_distortion", "cognitive_pathway")

Lang = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Label:
    """One answer: an ASCII key, its names and definitions, and how it differs from its neighbours (may be empty)."""

    key: str
    zh: str
    en: str
    definition_zh: str
    definition_en: str
    parent: str | None = None
    unlike_zh: str = ""
    unlike_en: str = ""

    def name(self, lang: Lang = "zh") -> str:
        return self.zh if lang == "zh" else self.en

    def definition(self, lang: Lang = "zh") -> str:
        return self.definition_zh if lang == "zh" else self.definition_en

    def unlike(self, lang: Lang = "zh") -> str:
        return self.unlike_zh if lang == "zh" else self.unlike_en


@dataclass(frozen=True, slots=True)
class Gloss:
    """A value of a further output (a level, an expression, a subject), with its meaning."""

    key: str
    zh: str
    en: str

    def name(self, lang: Lang = "zh") -> str:
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Task:
    """A question about a post. `kind`: one label, several or none, or labels on each sentence of the post."""

    name: str
    version: str
    zh: str
    en: str
    kind: Literal["single", "multi", "sentence"]
    question_zh: str
    question_en: str
    about_zh: str
    about_en: str
    population_zh: str
    population_en: str
    source: str
    labels: tuple[Label, ...]
    levels: tuple[Gloss, ...] = ()
    expressions: tuple[Gloss, ...] = ()
    subjects: tuple[Gloss, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every label key, parents before their children, in the published order."""
        return tuple(label.key for label in self.labels)

    def label(self, key: str) -> Label:
        for label in self.labels:
            if label.key == key:
                return label
        raise KeyError(f"{self.name} has no label {key!r}")

    def parent(self, key: str) -> str | None:
        """The parent's key, None for a label without one and for a key that is no label."""
        return next((label.parent for label in self.labels if label.key == key), None)

    @property
    def leaves(self) -> tuple[str, ...]:
        """The labels that are nobody's parent: what a model decides, since a child brings its parent."""
        parents = {label.parent for label in self.labels}
        return tuple(key for key in self.keys if key not in parents)

    def title(self, lang: Lang = "zh") -> str:
        return self.zh if lang == "zh" else self.en


@cache
def load(name: str) -> Task:
    """The task called `name`; a UserError lists the tasks that there are."""
    if name not in NAMES:
        import difflib

        close = difflib.get_close_matches(name, NAMES, 1, 0.5)
        hint = f"did you mean {close[0]}?" if close else "`mentalglm tasks` lists them"
        raise UserError(f"there is no task {name!r}; there are {', '.join(NAMES)}", hint)
    path = Path(__file__).with_name(f"{name}.toml")
    return _task(tomllib.loads(path.read_text(encoding="utf-8")))


def all_tasks() -> list[Task]:
    """All tasks of the series, in the order in which they are shown."""
    return [load(name) for name in NAMES]


def _task(data: dict[str, Any]) -> Task:
    labels = tuple(Label(**{k: _plain(v) for k, v in label.items()}) for label in data.pop("label"))
    levels, expressions, subjects = (
        tuple(Gloss(**gloss) for gloss in data.pop(key, ())) for key in ("level", "expression", "subject")
    )
    plain: dict[str, Any] = {k: _plain(v) for k, v in data.items()}
    return Task(**plain, labels=labels, levels=levels, expressions=expressions, subjects=subjects)


def _plain(value: str) -> str:
    return value.strip()
