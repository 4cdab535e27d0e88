"""The models of the series. A model answers posts and knows nothing of where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mentalglm.errors import MissingError, UserError
from mentalglm.models.given import recall_of
from mentalglm.schema import Post

Record = dict[str, Any]
_ONLY_MINI = (
    "use --model mini (from Python: mentalglm.load('mini')), or the folder of a model that `mentalglm train` made"
)


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
    if spec != "mini":
        from mentalglm.models.local import Local

        return Local(spec, threads)
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
    if spec != "mini" and not is_place(spec):
        raise UserError(_unknown(spec), _ONLY_MINI)
    if spec.startswith((".", "/", "~")) and not Path(spec).is_dir():
        raise MissingError(f"there is no folder {spec}", "name one that `mentalglm train` wrote, or use --model mini")
    if spec != "mini" and (prevalence is not None or operating_point is not None):
        raise UserError("--prevalence and --operating-point are of mini's calibrated probabilities", "leave them out")
    if base_url is not None:
        raise UserError("--base-url goes with a remote model, and mini runs on this machine", "leave it out")


def is_place(spec: str) -> bool:
    """Whether `spec` names a folder or a hub id, not a model of the series."""
    if not spec or spec.startswith(("api:", "cascade:")):
        return False
    return "/" in spec or spec.startswith(".") or Path(spec).is_dir()


def _unknown(spec: str) -> str:
    """Why `spec` is not a model of this version."""
    if spec.startswith("api:"):
        return f"this version has no remote models ({spec!r})"
    if spec.startswith("cascade:"):
        return f"this version has no cascades ({spec!r})"
    if spec in ("nano", "9b", "9b-chat"):
        return f"this version does not have the model {spec!r} yet"
    return f"no model {spec!r}"
