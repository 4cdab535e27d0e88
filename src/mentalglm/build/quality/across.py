"""Consistency between the answers on one post. Which of two is wrong cannot be told here: the findings are signals."""

from __future__ import annotations

from collections.abc import Sequence

from .lexicon import patterns
from .quotes import quoted
from .verdict import Finding, Row, Settings, find, names_of

NO_WISH = ("none", "pain")  # expressions of suicide risk that hold no wish to die

# The pathway's belief for each distortion whose key differs; the others share their key.
BELIEF = {
    "mind_reading": "jumping_to_conclusions",
    "fortune_telling": "jumping_to_conclusions",
    "magnification": "magnification_minimization",
    "self_blame": "blame",
    "other_blame": "blame",
}


def across(rows: Sequence[Row], settings: Settings | None = None) -> list[Finding]:
    """What does not agree between the rows of one post: a wish to die that one answer quotes while suicide risk is
    answered without one; distortions and beliefs of the pathway; two answers to one task."""
    settings = settings or Settings()
    answered = [r for r in rows if r.taught.answer is not None]
    return [*_wish(answered, settings), *_beliefs(answered, settings), *_twice(answered, settings)]


def _wish(rows: Sequence[Row], settings: Settings) -> list[Finding]:
    calm = [r for r in rows if r.item.task == "suicide_risk" and _expression(r) in NO_WISH]
    if not calm:
        return []
    out: list[Finding] = []
    for row in rows:
        if row.item.task == "suicide_risk":
            continue
        assert row.taught.answer is not None
        said = [q.quote for q in row.taught.answer.evidence]
        said += quoted(row.explanation, row.item.text, settings).good
        wish = next((q for q in said if any(any(p.search(q, row.item.text)) for p in patterns("wish"))), None)
        if wish:
            out += find(settings, "wish_elsewhere", f"{row.item.task}: “{wish}”")
    return out


def _expression(row: Row) -> str | None:
    further = row.taught.answer.further if row.taught.answer else {}
    expression, level = further.get("expression"), further.get("level")
    if expression is None and level is not None:
        return "none" if level == 0 else "pain" if level <= 3 else "wish"
    return expression


def _beliefs(rows: Sequence[Row], settings: Settings) -> list[Finding]:
    distorted = _union(rows, "cognitive_distortion")
    pathway = _union(rows, "cognitive_pathway")
    if distorted is None or pathway is None:
        return []
    mine = {BELIEF.get(k, k) for k in distorted}
    theirs = {k.removeprefix("belief.") for k in pathway if k.startswith("belief.")}
    if mine == theirs:
        return []
    return find(settings, "belief_differs", f"{names_of(sorted(mine - theirs))} / {names_of(sorted(theirs - mine))}")


def _union(rows: Sequence[Row], task: str) -> set[str] | None:
    answers = [r.taught.answer for r in rows if r.item.task == task]
    return {k for a in answers if a for k in a.labels} if answers else None


def _twice(rows: Sequence[Row], settings: Settings) -> list[Finding]:
    seen: dict[str, set[str]] = {}
    out: list[Finding] = []
    for row in rows:
        assert row.taught.answer is not None
        labels = set(row.taught.answer.labels)
        first = seen.setdefault(row.item.task, labels)
        if labels != first:
            out += find(settings, "labels_differ", f"{row.item.task}: {names_of(sorted(labels ^ first))}")
    return out
