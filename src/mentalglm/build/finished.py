"""From an item and its answer to the row of the dataset (fields: export/rows.py)."""

from __future__ import annotations

from typing import Any

from mentalglm.build.export.rows import IMHI, SUMMARY, messages_of
from mentalglm.build.item import Item
from mentalglm.build.teach.loop import Given
from mentalglm.tasks.answer import EXPRESSION_OF_LEVEL, FURTHER, PARENTS, with_parents
from mentalglm.tasks.task import load


def row(item: Item, given: Given, licence: str) -> dict[str, Any]:
    """One row; the messages last, since they are made from the others."""
    taught = given.taught
    answer = taught.answer
    assert answer is not None  # it passed the checks
    further = {k: answer.further.get(k) for k in FURTHER}
    if item.level is not None:  # the annotators', which a teacher that was not told it may have missed by one
        further |= {"level": item.level, "expression": EXPRESSION_OF_LEVEL[item.level]}
    own = given.hidden
    out: dict[str, Any] = {
        "id": item.id,
        "key": item.key,
        "task": item.task,
        "split": item.split,
        "text": item.text,
        "labels": list(item.labels),
        **further,
        "evidence": [q._asdict() for q in answer.evidence],
        "explanation": answer.explanation,
        "sentences": [
            {"start": s.start, "end": s.end, "labels": list(_parents(item.task, s.labels))} for s in item.sentences
        ],
        "summary": {k: answer.summary.get(k) for k in PARENTS} if answer.summary else None,
        "messages": [],
        "source_ids": list(item.sources),
        "sources": list(dict.fromkeys(s for s, _ in item.parts)),
        "published_parts": [f"{source}:{part}" for source, part in item.parts if part],
        "label_from": item.label_from,
        "disagrees": item.disagrees,
        "teacher": taught.teacher,
        "mode": taught.mode,
        "attempts": taught.attempt,
        "hidden_labels": None if own is None else list(own),
        "hidden_agrees": None if own is None else own == item.labels,
        "verdict": "",
        "licence": licence,
    }
    if item.task.startswith(IMHI):
        question, reply = taught.meta["question"], taught.meta["answer"]
        out["messages"] = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    else:
        out["messages"] = messages_of(out)
    return out


def summary_row(pathway: dict[str, Any]) -> dict[str, Any] | None:
    """The derived row of the task `pathway_summary`; None where the post has no step of the pathway."""
    if not pathway["summary"] or not any(pathway["summary"].values()):
        return None
    out = dict(pathway, id=f"{pathway['key']}-{SUMMARY}", task=SUMMARY)
    out["labels"] = [k for k in PARENTS if pathway["summary"][k]]
    out["explanation"] = "".join(v if v[-1] in "。！？" else v + "。" for v in pathway["summary"].values() if v)
    out["messages"] = messages_of(out)
    return out


def _parents(task: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    return with_parents(load(task), labels) if labels else ()


def remade(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its messages made anew, after a change to what they are made from."""
    return row | {"messages": messages_of(row)}
