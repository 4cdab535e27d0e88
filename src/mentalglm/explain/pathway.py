"""The explanation of the pathway: a walk through the labelled sentences in their order, and what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..tasks import Task
from .wording import Wording

MAX_SENTENCES = 6


def compose(say: Wording, task: Task, a: Mapping[str, Any], text: str) -> str:
    sentences = _sentences(task, a, text)
    walk = [(quote, labels) for quote, labels in sentences if labels]
    if not walk:
        parts = [say("cp.none")]
    else:
        shown = walk[:MAX_SENTENCES]
        body = "".join(
            say(_place(i, len(shown), len(walk)), s=_step(say, task, quote, labels))
            for i, (quote, labels) in enumerate(shown)
        )
        body = body[:1].upper() + body[1:]
        if len(walk) > len(shown):
            body += say("cp.more", k=len(walk) - len(shown))
        found = {label.split(".")[0] for _, labels in walk for label in labels}
        disputed = "belief" not in found or "disputation" in found
        parts = [body + (("。" if say.lang == "zh" else ".") if disputed else say("cp.no_dispute"))]
        if rest := len(sentences) - len(walk):
            parts.append(say("cp.rest", k=rest))
    p: Mapping[str, float] | None = a["probabilities"]
    if p and walk:
        top = max((x for x in task.leaves if x in a["labels"]), key=lambda x: p[x], default=None)
        if top:
            name = task.label(top).name(say.lang)
            parts.append(say("cp.prob", n=name, p=say.verbal(p[top]), v=say.bare(p[top]), w=say("cp.where")))
    if a["abstained"]:
        parts.append(say("unsure"))
    return ("" if say.lang == "zh" else " ").join(parts)


def _sentences(task: Task, a: Mapping[str, Any], text: str) -> list[tuple[str, list[str]]]:
    """Each sentence's words and its leaf labels, in order; from the evidence where a model gives no sentences."""
    if a.get("sentences"):
        return [(text[s["start"] : s["end"]], [x for x in s["labels"] if x in task.leaves]) for s in a["sentences"]]
    spans: dict[tuple[int, int], list[str]] = {}
    for e in sorted(a["evidence"], key=lambda e: e["start"]):
        if e["label"] in task.leaves:
            spans.setdefault((e["start"], e["end"]), []).append(e["label"])
    return [(text[start:end], labels) for (start, end), labels in spans.items()]


def _place(index: int, shown: int, total: int) -> str:
    if total == 1:
        return "cp.only"
    if index == 0:
        return "cp.first"
    return "cp.last" if index == shown - 1 and shown == total else "cp.next"


def _step(say: Wording, task: Task, quote: str, labels: list[str]) -> str:
    first, *others = labels
    name = task.label(first).name(say.lang)
    step = say(
        f"cp.{first.split('.')[0]}",
        q=say.quote(quote.strip().rstrip("。.，,；; ") or quote),
        n=name,
        c=say.clause(first),
    )
    return step + "".join(say("cp.both", n=task.label(x).name(say.lang)) for x in others)
