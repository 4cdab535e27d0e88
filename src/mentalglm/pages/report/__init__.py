"""Writes analyses as one HTML page that needs nothing else: no server, no network, no font, no library.

It is written as it goes, so that a long run needs no memory; what is only known at the end (the counts) is written at
the end and set at the top by the style sheet. Posts are escaped by Jinja2, and should that ever fail, the page's
content policy lets only the one script run whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mentalglm import display, resources, tasks
from mentalglm.display import Both
from mentalglm.schema import BadRow, Post, Record

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_EXTRA_COLUMNS, _EXTRA_LENGTH = 8, 120  # of the input's own columns a page shows so many, cut to so many characters


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(percent=display.percent, visible=display.visible)
    environment.globals.update(
        notice=Both(*display.NOTICE),
        not_sure=Both(*display.NOT_SURE),
        error_words=display.error_words,
        step=lambda p: round(100 * (p or 0)),
    )
    return environment


class HtmlWriter:
    """`write(record, post)` for each row in order, then `close()`."""

    def __init__(self, path: str | Path) -> None:
        self._file = Path(path).open("w", encoding="utf-8", newline="\n")  # noqa: SIM115 - `close` closes it
        self._counts: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._tasks: set[str] = set()
        style, script = _read("style.css") + _widths(), _read("script.js")
        self._put("head.html", style=style, hashes=[_hash(style), _hash(script)], labels=_label_choices())

    def write(self, record: Record, post: Post | BadRow) -> None:
        text = post.text if isinstance(post, Post) else ""
        views = display.views(record, text)
        labels = [f"{view.task}:{label.key}" for view in views for label in view.held]
        look = is_high(record) or is_unsure(record)
        crisis = record["status"] == "ok" and resources.needs_crisis(record["analyses"])
        counts = self._counts
        counts["posts"] += 1
        counts["failed"] += record["status"] == "error"
        counts["high"] += is_high(record)
        counts["unsure"] += is_unsure(record) and record["status"] == "ok"
        counts["look"] += look
        counts["crisis"] += crisis
        counts["distortion"] += any(label.startswith("cognitive_distortion:") for label in labels)
        if model := record.get("model"):
            self._models[f"{model['name']} {model['revision'][:12]}"] += 1
        self._tasks.update(view.task for view in views)
        self._put(
            "post.html",
            number=counts["posts"],
            record=record,
            views=views,
            pieces=_marked(record, text),
            labels=" ".join(labels),
            look=look,
            crisis=crisis,
            long=len(text) > 1500,
            extra=_extra(post.extra),
            tone="high" if is_high(record) else "unsure" if is_unsure(record) else "plain",
            first_lines=_first_lines() if crisis else (),
            lang="en" if _is_english(views) else "zh",
        )

    def close(self) -> None:
        crisis = {"zh": resources.crisis("zh"), "en": resources.crisis("en")} if self._counts["crisis"] else None
        used = [task for task in tasks.all_tasks() if task.name in self._tasks]
        models, script = list(self._models), _read("script.js")
        self._put("foot.html", counts=self._counts, models=models, tasks=used, crisis=crisis, script=script)
        self._file.close()

    def _put(self, template: str, **values: Any) -> None:
        self._file.write(_environment().get_template(template).render(values))


def is_high(record: Record) -> bool:
    return "high" in record.get("analyses", {}).get("suicide_risk", {}).get("labels", ())


def is_unsure(record: Record) -> bool:
    """No sure answer about risk: abstained, failed, or the row itself failed. It is shown wherever `high` is."""
    analyses = record.get("analyses", {})
    if "suicide_risk" in analyses:
        risk = analyses["suicide_risk"]
        return "error" in risk or risk["abstained"]
    return not analyses or any(a.get("abstained") for a in analyses.values())


def _marked(record: Record, text: str) -> list[tuple[str, str, str, str]]:
    """The post in pieces: text, its marks' classes (empty for none), their keys, and their names."""
    out = []
    for piece in display.pieces(record, text):
        tones = dict.fromkeys(mark.tone for mark in piece.marks)
        names = dict.fromkeys(display.label_name(mark.task, mark.label) for mark in piece.marks)
        keys = " ".join(f"{mark.task}:{mark.label}" for mark in piece.marks)
        out.append((piece.text, " ".join(tones), keys, "; ".join(f"{n.zh} {n.en}" for n in names)))
    return out


def _extra(columns: dict[str, Any]) -> list[tuple[str, str]]:
    shown = []
    for name, value in list(columns.items())[:_EXTRA_COLUMNS]:
        value = "" if value is None else str(value)
        short = value[:_EXTRA_LENGTH] + "…" * (len(value) > _EXTRA_LENGTH)
        shown.append((display.visible(name), display.visible(short)))
    return [pair for pair in shown if pair[1].strip()]


def _is_english(views: list[display.View]) -> bool:
    words = "".join(view.explanation for view in views)
    return sum("\u4e00" <= c <= "\u9fff" for c in words) * 4 < len(words)


def _label_choices() -> list[tuple[Both, list[tuple[str, Both]]]]:
    """Tasks with their labels, for the filter."""
    return [
        (Both(task.zh, task.en), [(f"{task.name}:{key}", display.label_name(task.name, key)) for key in task.keys])
        for task in tasks.all_tasks()
    ]


@cache
def _first_lines() -> list[resources.Line]:
    """The numbers that stand at each post where help is shown; the page has all of them once."""
    lines = resources.crisis("zh").lines
    return [*(x for x in lines if x.kind == "emergency"), *[x for x in lines if x.kind == "crisis"][:2]]


@cache
def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _widths() -> str:
    """One class a percentage: the content policy allows no style attributes."""
    return "".join(f".w{n}{{width:{n}%}}" for n in range(101)) + "\n"


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
