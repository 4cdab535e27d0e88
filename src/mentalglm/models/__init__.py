"""The models of the series. A model answers posts and knows nothing of where they come from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mentalglm.errors import UserError
from mentalglm.schema import Post

if TYPE_CHECKING:
    from mentalglm.tasks import Task

Given = Post | str | Mapping[str, Any]  # what may be given as a post
Record = dict[str, Any]
_ONLY_MINI = "use --model mini (from Python: mentalglm.load('mini')), the only model of this version"


@runtime_checkable
class Model(Protocol):
    """What every model of the series can do."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    def analyze(
        self, posts: Iterable[Post | str], *, tasks: Sequence[str] | None = None, lang: str = "zh"
    ) -> Iterator[Record]:
        """One record a post, lazily and in input order; a post that cannot be analysed is a record with its error.

        Mini also takes posts as mappings with `text` and perhaps `id`, and one task as its bare name.
        """
        ...


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


def tasks_of(names: Iterable[str] | str | None) -> list[Task]:
    """The tasks of these names, or of one; None for all. Raises UserError for no task and for an unknown one."""
    from mentalglm import tasks

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


def point_of(operating_point: str | None) -> str | None:
    """An operating point as records state it: `recall=95%` is `recall=0.95`."""
    return None if operating_point is None else f"recall={recall_of(operating_point):g}"


def load(
    spec: str = "mini",
    *,
    threads: int | None = None,
    base_url: str | None = None,
    prevalence: float | None = None,
    operating_point: str | None = None,
) -> Model:
    """The model that `spec` names.

    threads: how many threads it may use (None: its own choice; at most one a core);
    prevalence: the share of `high` among the posts that are read, to which the probabilities are corrected;
    operating_point: `recall=0.95` trades precision for recall.
    Raises UserError for an unknown spec or a value out of range, MissingError where a file of the model is not there.
    """
    check(spec, threads=threads, base_url=base_url, prevalence=prevalence, operating_point=operating_point)
    from mentalglm.models.mini import Mini  # here: numpy and onnxruntime load with it

    return Mini(threads=threads, prevalence=prevalence, operating_point=operating_point)


def check(
    spec: str,
    *,
    threads: int | None = None,
    base_url: str | None = None,
    prevalence: float | None = None,
    operating_point: str | None = None,
) -> None:
    """Raises UserError for what `load` would not take, and loads nothing."""
    if threads is not None and threads < 1:
        raise UserError(f"--threads {threads} is less than one", "give 1 or more")
    if prevalence is not None and not 0 < prevalence < 1:
        raise UserError(f"--prevalence {prevalence:g} is no share", "give the share of high-risk posts, such as 0.01")
    if operating_point is not None:
        recall_of(operating_point)
    if spec != "mini":
        raise UserError(_unknown(spec), _ONLY_MINI)
    if base_url is not None:
        raise UserError("--base-url goes with a remote model, and mini runs on this machine", "leave it out")


def _unknown(spec: str) -> str:
    """Why `spec` is not a model of this version."""
    if spec.startswith("api:"):
        return f"this version has no remote models ({spec!r})"
    if spec.startswith("cascade:"):
        return f"this version has no cascades ({spec!r})"
    if spec in ("nano", "9b", "9b-chat"):
        return f"this version does not have the model {spec!r} yet"
    if "/" in spec or spec.startswith("."):
        return f"this version loads no model from a folder or hub ({spec!r})"
    return f"no model {spec!r}"
