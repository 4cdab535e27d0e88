"""What a caller gave, made into what a model takes: posts, tasks, threads, an operating point. Raises UserError."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mentalglm import tasks
from mentalglm.errors import UserError
from mentalglm.schema import Post

Given = Post | str | Mapping[str, Any]  # what may be given as a post


def recall_of(operating_point: str) -> float:
    """The recall that `recall=0.95` asks for. Raises UserError for anything else."""
    found = re.fullmatch(r"recall=(0?\.\d+|\d+(?:\.\d+)?%)", operating_point.strip())
    value = 0.0
    if found:
        value = float(found[1].rstrip("%")) / (100 if found[1].endswith("%") else 1)
    if not 0 < value < 1:
        raise UserError(f"no operating point {operating_point!r}", "write the recall to keep, as in recall=0.95")
    return value


def posts_of(given: Iterable[Given]) -> Iterator[Post]:
    """What a person gave as posts: a text gets its number, from 1, as id; of a mapping `text` and `id` are taken, and
    the rest is `extra`. Raises UserError at once for what is no list of texts."""
    mend = 'give a list of texts, as in analyze(["…"])'
    if isinstance(given, str | bytes):
        raise UserError("posts is one text, not several", mend)
    if isinstance(given, Post | Mapping):
        raise UserError("posts is one post, not several", mend)
    try:
        items = iter(given)
    except TypeError:
        raise UserError(f"posts is {type(given).__name__}, which holds no texts", mend) from None
    return (_post(item, number) for number, item in enumerate(items, 1))


def _post(item: Any, number: int) -> Post:
    if isinstance(item, Post):
        return item
    if not isinstance(item, Mapping):
        return Post(str(number), item)
    extra = dict(item)
    text, id_ = extra.pop("text", None), extra.pop("id", None)
    if id_ is not None and not isinstance(id_, str):
        id_ = json.dumps(id_, ensure_ascii=False, default=str)
    return Post(id_ or str(number), text, extra)  # type: ignore[arg-type]  (what is no text is a row with an error)


def tasks_of(names: Iterable[str] | str | None) -> list[tasks.Task]:
    """The tasks of these names, or of one; None for all. Raises UserError for no task and for an unknown one."""
    if names is None:
        return tasks.all_tasks()
    chosen = [tasks.load(name) for name in ([names] if isinstance(names, str) else names)]
    if not chosen:
        raise UserError("tasks is empty", f"name some of {', '.join(tasks.NAMES)}, or leave it out for all")
    return chosen


def threads_of(asked: int | None) -> tuple[int | None, str | None]:
    """The threads to use, and a line on it where more are asked for than there are cores: these only slow it down."""
    cores = os.cpu_count() or 1
    if asked is None or asked <= cores:
        return asked, None
    return cores, f"{asked:,} threads are asked for and this machine has {cores}: {cores} are used"


def point_of(operating_point: str | float | None) -> str | None:
    """An operating point, or its recall, as records state it: `recall=95%` is `recall=0.95`."""
    recall = recall_of(operating_point) if isinstance(operating_point, str) else operating_point
    return None if recall is None else f"recall={recall:g}"
