"""The explanation of a multi-label task: each label with its words and its definition, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..tasks import Task
from .wording import Wording

MAX_LABELS = 5  # more would not be read; the others are named with their probabilities


def compose(say: Wording, task: Task, a: Mapping[str, Any]) -> str:
    p: Mapping[str, float] | None = a["probabilities"]
    labels = sorted(a["labels"], key=lambda x: -(p or {}).get(x, 0.0))
    parts = [_one(say, task, a, label, first=i == 0) for i, label in enumerate(labels[:MAX_LABELS])]
    if not labels:
        parts = [say("cd.none")]
        if p:
            top = max(p, key=lambda x: p[x])
            name = task.label(top).name(say.lang)
            parts.append(say("cd.top", n=name, p=say.verbal(p[top]), v=say.bare(p[top]), w=say("cd.where")))
    elif p and len(labels) == 1:
        value = p[labels[0]]
        slot = "cd.prob.one.soft" if say.soft(value) else "cd.prob.one"
        parts.append(say(slot, p=say.verbal(value), v=say.bare(value), w=say("cd.where")))
    elif p:
        slot = "cd.prob.soft" if any(say.soft(p[x]) for x in labels) else "cd.prob"
        parts.append(say(slot, list=say.names(task, p, labels), w=say("cd.where")))
    if a["abstained"]:
        parts.append(say("unsure"))
    return ("" if say.lang == "zh" else " ").join(parts)


def _one(say: Wording, task: Task, a: Mapping[str, Any], label: str, *, first: bool) -> str:
    name = task.label(label).name(say.lang)
    quoted = say.quotes(a["evidence"], label)
    if not quoted:
        return say("cd.bare", n=name)
    slot = ("cd.frame" if first else "cd.more") + (".soft" if say.soft((a["probabilities"] or {}).get(label)) else "")
    return say(slot, q=quoted, n=name, c=say.clause(label))
