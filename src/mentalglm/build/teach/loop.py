"""Asking until an answer passes: each teacher in turn, each item up to so many times with what was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mentalglm.build import quality
from mentalglm.build.item import Item, Taught
from mentalglm.build.quality import Verdict
from mentalglm.build.teach.teacher import Request, Teacher
from mentalglm.tasks.answer import EXPRESSION_OF_LEVEL, Answer

Judge = Callable[[Item, Taught], Verdict]


class Given(NamedTuple):
    """An item's last answer and what the checks say of it; `hidden` is the teacher's own label, where it was asked
    without being told the gold one."""

    taught: Taught
    verdict: Verdict
    hidden: tuple[str, ...] | None = None


@dataclass(slots=True)
class Progress:
    """What a build shows while it asks; `changed` is called after every answer."""

    total: int = 0
    kept: int = 0
    asked: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # of answers that did not pass
    unanswered: int = 0
    tokens: int = 0
    cost: float = 0.0
    changed: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Lessons:
    """What came of asking: `kept` passed, `failed` did not, with its last answer, `unanswered` got none."""

    kept: dict[str, Given] = field(default_factory=dict)
    failed: dict[str, Given] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Given] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)  # answers by teacher
    found_wanting: dict[str, Counter[str]] = field(default_factory=dict)  # of these, by teacher and reason


async def ask(
    items: Sequence[Item], teachers: Sequence[Teacher], judge: Judge, attempts: int, hidden_first: bool, seen: Progress
) -> Lessons:
    """Every item to the first teacher that takes it, what fails, or is refused, to the next one. Who has refused an item
    with its label given is not asked about it again. An item that no teacher takes is in none of the Lessons."""
    out = Lessons()
    seen.total = len(items)
    for teacher in teachers:
        left = [i for i in items if i.id not in out.kept and i.id not in out.unanswered and teacher.takes(i)]
        own: dict[str, tuple[str, ...]] = {}
        if hidden_first and teacher.asks:
            left = await _hidden(left, teacher, judge, own, out, seen)
        await _given(left, teacher, judge, attempts, own, out, seen)
    return out


async def _hidden(
    items: list[Item],
    teacher: Teacher,
    judge: Judge,
    own: dict[str, tuple[str, ...]],
    out: Lessons,
    seen: Progress,
) -> list[Item]:
    """First without the label: whose answer agrees and passes is kept, since its reasons were not written to fit. All
    others, refusals too, are asked again with it."""
    by_id = {i.id: i for i in items}
    again: set[str] = set()
    async for request, taught in teacher.answer(Request(i, "hidden") for i in items):
        item = request.item
        _count(seen, taught)
        if taught.status == "failed":
            out.unanswered[item.id] = taught.problem
            continue
        verdict = judge(item, taught)
        _note(out, taught, verdict)
        if taught.answer is not None:
            own[item.id] = taught.answer.labels
            if _agrees(item, taught.answer) and verdict.passed:
                _keep(out, seen, item, Given(taught, verdict, own[item.id]))
                continue
        again.add(item.id)
    return [by_id[i] for i in by_id if i in again]


async def _given(
    items: list[Item],
    teacher: Teacher,
    judge: Judge,
    attempts: int,
    own: dict[str, tuple[str, ...]],
    out: Lessons,
    seen: Progress,
) -> None:
    pending = [Request(i) for i in items]
    for attempt in range(1, attempts + 1):
        following: dict[str, Request] = {}
        async for request, taught in teacher.answer(iter(pending)):
            item = request.item
            _count(seen, taught)
            if taught.status == "failed":
                out.unanswered[item.id] = taught.problem
                out.failed.pop(item.id, None)
                continue
            verdict = judge(item, replace(taught, attempt=attempt))
            given = Given(replace(taught, attempt=attempt), verdict, own.get(item.id))
            _note(out, taught, verdict)
            if verdict.passed:
                _keep(out, seen, item, given)
                continue
            seen.reasons.update(f.reason for f in verdict.findings if f.verdict == "fail")
            out.failed[item.id] = given
            if taught.status == "refused":
                out.refused[item.id] = given
            else:
                following[item.id] = Request(item, "given", attempt + 1, quality.complaints(verdict.findings))
        # in the order of the items, whatever the order of the answers: equal inputs, equal bytes
        pending = [following[i.id] for i in items if i.id in following]
        if not pending or not teacher.improves:
            break


def _agrees(item: Item, answer: Answer) -> bool:
    """The labels are the gold's, and so is what a level that the annotators gave says: reasons for a mere pain do not
    stand under a wish to die."""
    told = answer.further.get("level")
    alike = item.level is None or told is None or EXPRESSION_OF_LEVEL[told] == EXPRESSION_OF_LEVEL[item.level]
    return answer.labels == item.labels and alike


def _keep(out: Lessons, seen: Progress, item: Item, given: Given) -> None:
    out.kept[item.id] = given
    out.failed.pop(item.id, None)
    seen.kept += 1
    seen.changed()


def _note(out: Lessons, taught: Taught, verdict: Verdict) -> None:
    out.asked[taught.teacher] += 1
    out.found_wanting.setdefault(taught.teacher, Counter()).update(verdict.reasons)


def _count(seen: Progress, taught: Taught) -> None:
    seen.asked += 1
    seen.tokens += taught.tokens_in + taught.tokens_out
    seen.cost += taught.cost
    seen.unanswered += taught.status == "failed"
    seen.changed()


def in_order(items: Sequence[Item], given: dict[str, Given]) -> Iterator[tuple[Item, Given]]:
    """The pairs in the order of `items`."""
    return ((i, given[i.id]) for i in items if i.id in given)
