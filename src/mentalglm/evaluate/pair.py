"""Gold and predictions, read and matched by id. What does not match is named and counted, never dropped in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mentalglm.errors import UserError

from . import rows
from .answers import FAULTS, Fault, Said, answer, bits
from .spaces import Space

EXAMPLES = 5  # ids that are shown of a kind of problem
OK, MISSING, UNPARSED = 0, 1, 2  # the status of a prediction
_MISSING = ("missing", "no_analysis")


@dataclass(slots=True)
class Problems:
    """How often each of FAULTS was met, with the first ids and details."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, code: str, where: str, detail: str = "") -> None:
        self.counts[code] += 1
        shown = self.examples.setdefault(code, [])
        if len(shown) < EXAMPLES:
            shown.append(f"{where[:60]}: {detail}" if detail else where[:60])

    def listed(self) -> list[dict[str, Any]]:
        """For `scores.json`, in the order of FAULTS."""
        return [
            {"code": code, "n": self.counts[code], "what": what, "effect": effect, "examples": self.examples[code]}
            for code, (what, effect) in FAULTS.items()
            if self.counts[code]
        ]


@dataclass(slots=True)
class Gold:
    """What is right: N posts. labels [N, K]; groups [N] of whole numbers, or None where each post stands for itself;
    synthetic: how many of the posts were written for the purpose, which is said wherever a figure stands."""

    space: Space
    ids: list[str]
    labels: np.ndarray
    groups: np.ndarray | None
    said: list[Said]
    problems: Problems
    synthetic: int = 0

    @property
    def absent(self) -> list[str]:
        """Classes that no gold row has."""
        if self.space.kind == "summary":
            return []
        return [key for key, n in zip(self.space.keys, self.labels.sum(0), strict=True) if not n]


@dataclass(slots=True)
class System:
    """The predictions of one system in the order of the gold. status [N]; labels [N, K], empty where the status is not
    OK; p [N, K] with NaN where there are none, or None; abstained [N]; said: the answers, None where there is none."""

    name: str
    status: np.ndarray
    labels: np.ndarray
    p: np.ndarray | None
    abstained: np.ndarray
    said: list[Said | None]
    problems: Problems

    @property
    def failed(self) -> np.ndarray:
        return self.status != OK


def read_gold(path: Path, space: Space, group: str | None = None) -> Gold:
    """Reads what is right. `group`: a column; rows that share its value are drawn together.

    A row without an id has its number for one, as in `analyze`. Raises UserError for gold that cannot be scored
    against (every kind of problem is listed), and for a file with no row of the task.
    """
    bit, problems, others = bits(space), Problems(), Counter[str]()
    found: dict[str, Said] = {}
    groups: list[str] = []
    synthetic = 0
    for item in rows.read(path):
        if item.problem:
            problems.add("unreadable", f"row {item.number}", item.problem)
            continue
        id_ = rows.id_of(item.value) or str(item.number)
        try:
            said = answer(item.value, space, bit)
        except Fault as fault:
            problems.add(fault.code, f"row {item.number}", fault.detail)
            others[fault.detail] += fault.code == "other_task"
            continue
        if id_ in found:
            same = found[id_]._replace(p=None) == said._replace(p=None)
            problems.add("duplicate" if same else "conflict", id_)
            continue
        found[id_] = said
        synthetic += _synthetic(item.value)
        if group is not None:
            if item.value.get(group) in (None, ""):
                raise UserError(f"row {item.number} of {path} has no {group!r}", "name a column that every row has")
            groups.append(str(item.value[group]))
    fatal = [code for code in problems.counts if code not in ("duplicate", "other_task")]
    if fatal:
        told = "; ".join(
            f"{problems.counts[code]} {FAULTS[code][0]} ({', '.join(problems.examples[code])})" for code in fatal
        )
        raise UserError(f"{path} is no gold for {space.name}: {told}", f"labels are {', '.join(space.keys)}; mend it")
    if not found:
        tasks = ", ".join(f"{name} ({n})" for name, n in others.most_common(5))
        raise UserError(f"{path} has no row of {space.name}; it has {tasks}", "name the task with --task")
    said = list(found.values())
    numbers = np.unique(groups, return_inverse=True)[1] if group is not None else None
    return Gold(space, list(found), matrix([s.mask for s in said], space), numbers, said, problems, synthetic)


def _synthetic(row: dict[str, Any]) -> bool:
    """Whether a row says that its post is synthetic: in a flag, or in the names of its sources (as `build` writes them)."""
    sources = row.get("sources") or row.get("source") or ()
    named = [sources] if isinstance(sources, str) else sources
    return row.get("synthetic") in (True, "true") or any("synthetic" in str(name) for name in named)


def read_system(path: Path, name: str, gold: Gold) -> System:
    """Reads predictions and puts them in the order of the gold.

    An id with different answers has none; a prediction that is missing or cannot be read is a wrong one. Raises
    UserError where not a single row can be matched.
    """
    space, bit, problems = gold.space, bits(gold.space), Problems()
    place = {id_: n for n, id_ in enumerate(gold.ids)}
    said: list[Said | Fault | None] = [None] * len(gold.ids)
    rows_read = 0
    for item in rows.read(path):
        rows_read += 1
        if item.problem:
            problems.add("unreadable", f"row {item.number}", item.problem)
            continue
        id_ = rows.id_of(item.value)
        if id_ is None:
            problems.add("no_id", f"row {item.number}")
            continue
        try:
            one: Said | Fault = answer(item.value, space, bit)
        except Fault as fault:
            one = fault
        if isinstance(one, Fault) and one.code == "other_task":
            problems.add("other_task", id_, one.detail)
            continue
        at = place.get(id_)
        if at is None:
            problems.add("extra", id_)
            continue
        before = said[at]
        said[at] = one if before is None else _twice(before, one, id_, problems)
    if rows_read and not any(said):
        told = "; ".join(f"{problems.counts[c]} {FAULTS[c][0]} ({problems.examples[c][0]})" for c in problems.counts)
        raise UserError(
            f"{path} has no prediction of {space.name} for any of the {len(said)} gold ids: {told}",
            f"ids of the gold look like {gold.ids[0]!r}",
        )
    return _system(name, said, gold, problems)


def _twice(before: Said | Fault, one: Said | Fault, id_: str, problems: Problems) -> Said | Fault:
    if isinstance(before, Fault) and before.code == "conflict":
        return before
    same = before == one or (
        isinstance(before, Fault) and isinstance(one, Fault) and (before.code, before.detail) == (one.code, one.detail)
    )
    if same:
        problems.add("duplicate", id_)
        return before
    return Fault("conflict")


def _system(name: str, said: Iterable[Said | Fault | None], gold: Gold, problems: Problems) -> System:
    space = gold.space
    answers: list[Said | None] = []
    status = np.zeros(len(gold.ids), np.int8)
    for n, one in enumerate(said):
        if isinstance(one, Said):
            answers.append(one)
            if one.flaw:
                problems.add("bad_probabilities", gold.ids[n], one.flaw)
            continue
        fault = one or Fault("missing")
        problems.add(fault.code, gold.ids[n], fault.detail)
        status[n] = MISSING if fault.code in _MISSING else UNPARSED
        answers.append(None)
    return assemble(name, answers, status, space, problems)


def assemble(name: str, answers: list[Said | None], status: np.ndarray, space: Space, problems: Problems) -> System:
    """The arrays of a system out of its answers."""
    p = None
    if any(one is not None and one.p is not None for one in answers):
        none = (np.nan,) * len(space.keys)
        p = np.array([none if one is None or one.p is None else one.p for one in answers], float)
    return System(
        name,
        status,
        matrix([0 if one is None else one.mask for one in answers], space),
        p,
        np.array([one is not None and one.abstained for one in answers], bool),
        answers,
        problems,
    )


def matrix(masks: list[int], space: Space) -> np.ndarray:
    """Masks as booleans [N, K]."""
    if space.kind == "summary":
        return np.zeros((len(masks), len(space.keys)), bool)
    return (np.array(masks, np.int64)[:, None] >> np.arange(len(space.keys))) & 1 > 0


def perfect(gold: Gold) -> System:
    """The gold as a system: what every scorer is run on first."""
    blank = [one._replace(p=None, abstained=False) for one in gold.said]
    return assemble("gold", list(blank), np.zeros(len(blank), np.int8), gold.space, Problems())
