"""The offline teacher's explanations: what the quoted words do, why that is the label by its definition, what would make
it another one, and what the post does not say. Words come from `wording/TASK.zh.toml`.

It claims nothing that the quotes do not carry: the clauses speak of the label's definition, and what is said of a post
as a whole ("no method is named") follows from its gold label alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mentalglm.build.item import Item
from mentalglm.build.teach.choice import Choice
from mentalglm.tasks import Task, load
from mentalglm.tasks.answer import PARENTS, Quote

FOLDER = Path(__file__).with_name("wording")
LONGEST = 30  # characters of a quote in an explanation; a longer one is cut at a clause
_MARKS = '“”「」『』‘’〝〞"＂\n\r\t'
_STOPS = "，。！？；：、…~～,.!?;: "
ARROWS = {"event": "触发性事件", "belief": "认知歪曲", "consequence": "情绪反应", "disputation": "驳斥"}


@cache
def words(task: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{task}.zh.toml").read_text(encoding="utf-8"))


def explanation(item: Item, found: Sequence[Quote], further: dict[str, Any], attempt: int) -> str:
    choice = Choice(item.key, item.task, attempt)
    task = load(item.task)
    if item.task == "suicide_risk":
        return _risk(choice, item, found, further)
    if task.kind == "sentence":
        return _pathway(choice, task, item, found)
    return _distortion(choice, task, item, found)


def shown(quote: str) -> str:
    """A part of `quote` that can stand between quotation marks: no marks or line breaks inside, not too long, no loose
    ends; verbatim all the same. Empty where nothing fits."""
    best = max(_pieces(quote, _MARKS), key=len, default="").strip(_STOPS)
    if len(best) <= LONGEST:
        return best
    cut = max((i for i, ch in enumerate(best[:LONGEST]) if ch in _STOPS), default=0)
    return best[: cut if cut >= LONGEST // 3 else LONGEST].strip(_STOPS)


def _pieces(text: str, marks: str) -> list[str]:
    for mark in marks:
        text = text.replace(mark, "\0")
    return text.split("\0")


def _joined(choice: Choice, quotes: Sequence[str]) -> str:
    marked = [f"“{q}”" for q in dict.fromkeys(quotes) if q]
    if len(marked) < 2:
        return "".join(marked)
    return "、".join(marked[:-1]) + choice.pick("and", ("和", "以及", "与")) + marked[-1]


def _of(found: Sequence[Quote], label: str) -> list[str]:
    return [s for q in found if q.label == label and (s := shown(q.quote))][:3]


def _distortion(choice: Choice, task: Task, item: Item, found: Sequence[Quote]) -> str:
    w = words(item.task)
    frames = w["frames"]
    if not item.labels:
        said = choice.pick("none", frames["none"])
        return said + (choice.pick("limit", frames["limit"]) if choice.chance("with_limit", 0.5) else "")
    out = []
    for n, key in enumerate(item.labels):
        label, clause = task.label(key), w["labels"][key]
        values = {
            "q": _joined(choice, _of(found, key)),
            "n": label.zh,
            "does": choice.pick(f"does.{key}", clause["does"]),
            "why": choice.pick(f"why.{key}", clause["why"]),
        }
        if n:
            out.append(choice.pick("more", frames["more"]).format(**values))
            continue
        out.append(choice.pick("open", frames["open"]).format(**values))
        out.append(choice.pick("why", frames["why"]).format(**values))
        others = [task.label(k).zh for k in item.labels]
        rules = [u for u in clause["unlike"] if not any(name in u for name in others)]
        if rules and choice.chance("with_unlike", 0.6):
            out.append(choice.pick("unlike", frames["unlike"]).format(unlike=choice.pick(key, rules), **values))
    if choice.chance("with_limit", 0.4):
        out.append(choice.pick("limit", frames["limit"]))
    return "".join(out)


def _risk(choice: Choice, item: Item, found: Sequence[Quote], further: dict[str, Any]) -> str:
    w = words(item.task)
    frames = w["frames"]
    label = item.labels[0]
    expression = further.get("expression")
    band = w["expression"][expression or f"unknown_{label}"]
    quotes = _joined(choice, [s for q in found if (s := shown(q.quote))][:3])
    values = {"q": quotes, "does": choice.pick("does", band["does"]), "why": choice.pick("why", band["why"])}
    out = [choice.pick("open", frames["open"] if quotes else frames["bare"]).format(**values)]
    if further.get("subject") == "other":
        out.append(choice.pick("other", frames["other"]))
    if further.get("past_attempt"):
        out.append(choice.pick("past", frames["past"]))
    out.append(choice.pick("why_frame", frames["why"]).format(**values))
    out.append(choice.pick("verdict", frames[f"verdict_{label}"]))
    if choice.chance("with_limit", 0.4):
        out.append(choice.pick("limit", frames["limit"]))
    return "".join(out)


def _pathway(choice: Choice, task: Task, item: Item, found: Sequence[Quote]) -> str:
    w = words(item.task)
    frames = w["frames"]
    if not item.labels:
        return choice.pick("none", frames["none"]) + choice.pick("none_more", frames["none_more"])
    out = []
    seen: list[str] = []
    for q in found:
        text = shown(q.quote)
        if not text:
            continue
        label = task.label(q.label)
        values = {"q": f"“{text}”", "n": label.zh, "is": choice.pick(f"is.{q.label}", w["child"][q.label]["is"])}
        parent = task.parent(q.label) or q.label
        lead = choice.pick("link", frames["link"]) if seen else ""
        slot = "again" if q.label in seen else parent
        out.append(lead + choice.pick(slot, frames[slot]).format(**values))
        seen.append(q.label)
    steps = [ARROWS[p] for p in PARENTS if p in item.labels]
    if len(steps) > 1:
        out.append(choice.pick("chain", frames["chain"]).format(steps=" → ".join(steps)))
    if len(item.sentences) and any(not s.labels for s in item.sentences) and choice.chance("rest", 0.5):
        out.append(choice.pick("rest", frames["rest"]))
    return "".join(out)


def summary(item: Item, found: Sequence[Quote]) -> dict[str, str | None]:
    """One sentence a parent of the pathway, from the quoted sentences; the words that a person wrote come first."""
    task = load(item.task)
    out: dict[str, str | None] = {}
    frames = words(item.task)["summary"] if item.labels else {}
    for parent in PARENTS:
        quotes = [s for q in found if task.parent(q.label) == parent and (s := shown(q.quote))]
        if item.summary.get(parent):
            out[parent] = item.summary[parent]
        elif quotes:
            choice = Choice(item.key, "summary", parent)
            names = list(dict.fromkeys(task.label(q.label).zh for q in found if task.parent(q.label) == parent))
            frame = choice.pick(parent, frames[parent])
            out[parent] = frame.format(q=_joined(choice, quotes[:3]), n="、".join(names))
        else:
            out[parent] = None
    return out
