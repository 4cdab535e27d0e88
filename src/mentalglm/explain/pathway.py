"""The explanation of the pathway: a walk through the labelled sentences in their order, and what is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..tasks import Task
from .wording import Wording

MAX_SENTENCES = 6
_BELIEFS = {"zh": ("一想法", "些想法"), "en": ("this belief", "these beliefs")}
_Step = tuple[str, list[str], Mapping[str, float]]  # a sentence's words, its leaf labels, their probabilities


def compose(say: Wording, task: Task, a: Mapping[str, Any], text: str) -> str:
    sentences = _sentences(task, a, text)
    walk = [step for step in sentences if step[1]]
    if not walk:
        parts = [say("cp.none")]
    else:
        shown = walk[:MAX_SENTENCES]
        body = "".join(say(_place(i, len(shown), len(walk)), s=_step(say, task, *step)) for i, step in enumerate(shown))
        body = body[:1].upper() + body[1:]
        if len(walk) > len(shown):
            body += say("cp.more", k=len(walk) - len(shown))
        parents = Counter(label.split(".")[0] for _, labels, _ in walk for label in labels)
        disputed = not parents["belief"] or parents["disputation"]
        beliefs = _BELIEFS[say.lang][parents["belief"] > 1]
        parts = [body + (("。" if say.lang == "zh" else ".") if disputed else say("cp.no_dispute", o=beliefs))]
        if rest := len(sentences) - len(walk):
            parts.append(say("cp.rest", k=rest))
    p: Mapping[str, float] | None = a["probabilities"]
    if p and walk:
        top = max((x for x in task.leaves if x in a["labels"]), key=lambda x: p[x], default=None)
        if top:
            name = task.label(top).name(say.lang)
            slot = "cp.prob.soft" if say.soft(p[top]) else "cp.prob"
            parts.append(say(slot, n=name, p=say.verbal(p[top]), v=say.bare(p[top]), w=say("cp.where")))
    if a["abstained"]:
        parts.append(say("unsure"))
    return ("" if say.lang == "zh" else " ").join(parts)


def _sentences(task: Task, a: Mapping[str, Any], text: str) -> list[_Step]:
    """Each sentence in order; from the evidence where a model gives no sentences."""
    post: Mapping[str, float] = a["probabilities"] or {}
    if a.get("sentences"):
        return [
            (
                text[s["start"] : s["end"]],
                [x for x in s["labels"] if x in task.leaves],
                s.get("probabilities") or post,
            )
            for s in a["sentences"]
        ]
    spans: dict[tuple[int, int], list[str]] = {}
    for e in sorted(a["evidence"], key=lambda e: e["start"]):
        if e["label"] in task.leaves:
            spans.setdefault((e["start"], e["end"]), []).append(e["label"])
    return [(text[start:end], labels, post) for (start, end), labels in spans.items()]


def _place(index: int, shown: int, total: int) -> str:
    if total == 1:
        return "cp.only"
    if index == 0:
        return "cp.first"
    return "cp.last" if index == shown - 1 and shown == total else "cp.next"


def _step(say: Wording, task: Task, quote: str, labels: list[str], p: Mapping[str, float]) -> str:
    first, *others = labels
    parent = first.split(".")[0]
    slot = f"cp.{parent}"
    if say.soft(p.get(first)):
        slot = "cp.soft.event" if parent == "event" else "cp.soft"
    step = say(
        slot,
        q=say.quote(quote.strip().rstrip("。.，,；; ") or quote),
        n=task.label(first).name(say.lang),
        c=say.clause(first),
    )
    for x in others:
        step += say("cp.both.soft" if say.soft(p.get(x)) else "cp.both", n=task.label(x).name(say.lang))
    return step
