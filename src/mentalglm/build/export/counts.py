"""What is in a dataset, counted while it is written: for the manifest and the cards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mentalglm import tasks

from .rows import IMHI, SPLITS

NONE = ""  # the label of a row that has none

Table = dict[str, Counter[str]]  # a name, and rows by split


@dataclass(slots=True)
class Counts:
    """Rows by split; by task, label, source, teacher (with its mode), licence and verdict, each by split; dropped rows by
    reason. `rejected` of the dropped were turned away by the export itself."""

    rows: Counter[str] = field(default_factory=Counter)
    tasks: Table = field(default_factory=dict)
    labels: dict[str, Table] = field(default_factory=dict)
    sources: Table = field(default_factory=dict)
    teachers: Table = field(default_factory=dict)
    licences: Table = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    untyped: tuple[str, ...] = ()  # columns null or empty in all of train, and not in another split

    def add(self, row: dict[str, Any]) -> None:
        split, task = row["split"], row["task"]
        self.rows[split] += 1
        _count(self.tasks, task, split)
        for label in row["labels"] or [NONE]:
            _count(self.labels.setdefault(task, {}), label, split)
        for source in row["sources"]:
            _count(self.sources, source, split)
        _count(self.teachers, f"{row['teacher']} ({row['mode']})" if row["mode"] else row["teacher"], split)
        _count(self.licences, row["licence"], split)
        self.verdicts[row["verdict"]] += 1

    def drop(self, reason: str) -> None:
        self.dropped[reason] += 1

    @property
    def total(self) -> int:
        return self.rows.total()

    @property
    def reviewed(self) -> int:
        return self.verdicts["accepted"] + self.verdicts["edited"]

    @property
    def languages(self) -> tuple[str, ...]:
        english = any(task.startswith(IMHI) for task in self.tasks)
        chinese = any(not task.startswith(IMHI) for task in self.tasks) or not english
        return ("zh",) * chinese + ("en",) * english

    def label_order(self, task: str) -> list[str]:
        """The labels of `task`: all that the task has, in its order, then others that stand on rows, then none."""
        seen = self.labels.get(task, {})
        known = list(tasks.load(task).keys) if task in tasks.NAMES else []
        others = sorted(label for label in seen if label not in known and label != NONE)
        return known + others + ([NONE] if NONE in seen else [])

    def as_dict(self) -> dict[str, Any]:
        """JSON for the manifest; keys in a fixed order."""
        by_split = {split: self.rows[split] for split in SPLITS}
        return {
            "rows": by_split,
            "tasks": _table(self.tasks, task_order(self.tasks)),
            "labels": {t: _table(self.labels[t], self.label_order(t)) for t in task_order(self.labels)},
            "sources": _table(self.sources, sorted(self.sources)),
            "teachers": _table(self.teachers, sorted(self.teachers)),
            "licences": _table(self.licences, sorted(self.licences)),
            "verdicts": {name: self.verdicts[name] for name in ("accepted", "edited", "")},
            "dropped": dict(sorted(self.dropped.items())),
            "rejected": self.rejected,
        }


def task_order(names: Any) -> list[str]:
    """Tasks in the order of the series, then the others by name."""
    return [n for n in tasks.NAMES if n in names] + sorted(n for n in names if n not in tasks.NAMES)


def _count(table: Table, name: str, split: str) -> None:
    table.setdefault(name, Counter())[split] += 1


def _table(table: Table, order: list[str]) -> dict[str, dict[str, int]]:
    return {name: {split: table.get(name, Counter())[split] for split in SPLITS} for name in order}
