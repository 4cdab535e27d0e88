"""Whether there is an answer, in form, with known labels and evidence for them; and whether they are the gold."""

from __future__ import annotations

from mentalglm.build.item import Item, Taught
from mentalglm.tasks.answer import EXPRESSION_OF_LEVEL, FIRST_HIGH, with_parents

from .verdict import Finding, Settings, find, names_of, task_of

_NO_EVIDENCE = ("low",)


def form(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """Answered and parsed; labels known; evidence only for the labels given, and for each of them but `low` and
    parents."""
    if taught.status == "refused":
        return find(settings, "refused")
    if taught.status == "unparsed":
        return find(settings, "unparsed", taught.problem)
    answer = taught.answer
    if taught.status != "ok" or answer is None:
        return find(settings, "failed", taught.problem)
    task = task_of(item)
    out: list[Finding] = []
    evidence = {q.label for q in answer.evidence}
    if task is not None:
        unknown = sorted({*answer.labels, *evidence} - set(task.keys))
        if unknown:
            out += find(settings, "unknown_label", names_of(unknown))
        if task.kind == "single" and len(set(answer.labels)) != 1:
            out += find(settings, "unparsed", f"labels: {names_of(answer.labels)}")
    given = set(with_parents(task, answer.labels)) if task else set(answer.labels)
    stray = sorted(evidence - given - ({k for k in evidence if k not in task.keys} if task else set()))
    if stray:
        out += find(settings, "evidence_label", names_of(stray))
    if task is not None:
        bare = [k for k in answer.labels if k in task.leaves and k not in evidence and k not in _NO_EVIDENCE]
        if bare:
            out += find(settings, "evidence_missing", names_of(bare))
    return out


def label(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """The answer's labels and level beside the gold: a fail where the teacher was told it, else a signal."""
    answer = taught.answer
    if answer is None:
        return []
    task = task_of(item)
    gold, mine = ((set(with_parents(task, x)) if task else set(x)) for x in (item.labels, answer.labels))
    hidden = taught.mode == "hidden"
    out: list[Finding] = []
    if gold != mine:
        detail = f"{names_of(answer.labels)} / {names_of(item.labels)}"
        out += find(settings, "label_differs" if hidden else "label_not_gold", detail)
    level = answer.further.get("level")
    if item.level is not None and level is not None:
        apart = abs(level - item.level)
        if hidden and apart > settings.level_tolerance:
            out += find(settings, "level_differs", f"{level} / {item.level}")
        elif not hidden and apart:
            out += find(settings, "level_not_gold", f"{level} / {item.level}")
    return out


def consistent(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """Level, expression and label of suicide risk say the same. Where the gold contradicts itself and the answer only
    follows it, the finding is another, and a signal."""
    answer = taught.answer
    if answer is None or item.task != "suicide_risk":
        return []
    level, expression = answer.further.get("level"), answer.further.get("expression")
    high = "high" in answer.labels
    wrong: list[str] = []
    if level is not None and (level >= FIRST_HIGH) != high:
        if item.level == level and set(item.labels) == set(answer.labels):
            return find(settings, "gold_conflict", f"level {level}, {names_of(answer.labels)}")
        wrong.append(f"level {level}, {names_of(answer.labels)}")
    if level is not None and expression is not None and EXPRESSION_OF_LEVEL[level] != expression:
        wrong.append(f"level {level}, {expression}")
    if level is None and expression is not None and (expression in ("plan", "imminent")) != high:
        wrong.append(f"{expression}, {names_of(answer.labels)}")
    return find(settings, "level_conflict", "; ".join(wrong)) if wrong else []
