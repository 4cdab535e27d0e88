"""The recipe of a dataset: one short TOML, unknown keys are errors, and all errors are said at once."""

from __future__ import annotations

import difflib
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from mentalglm import recipe_file
from mentalglm.build.quality.verdict import Settings as Quality
from mentalglm.build.teach.settings import PACE, Prices, RemoteSettings
from mentalglm.sources.catalogue import SOURCES
from mentalglm.sources.clinical import Records
from mentalglm.sources.generic import Mapping

KEYS = tuple(source.key for source in SOURCES)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcePart(_Strict):
    """One source: a set that we know by its `key`, or a `table` or clinical `records` of one's own. limit: the first rows
    only, for a trial."""

    key: str | None = None
    table: Mapping | None = None
    records: Records | None = None
    limit: int | None = Field(None, ge=1)

    @field_validator("key")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in KEYS:
            close = difflib.get_close_matches(value, KEYS, 1, 0.5)
            raise ValueError(f"there is no set {value!r}" + (f"; did you mean {close[0]}?" if close else ""))
        return value

    @model_validator(mode="after")
    def _one(self) -> SourcePart:
        if sum(x is not None for x in (self.key, self.table, self.records)) != 1:
            raise ValueError("give one of key, table, records")
        return self

    @property
    def name(self) -> str:
        named = self.table or self.records
        return self.key or (named.key if named else "")


class SplitPart(_Strict):
    """`clean`: whatever overlaps with a test row of any source leaves training. `published`: splits as published, the
    overlaps only counted. `test` and `validation`: the share cut where a source has no such part."""

    kind: Literal["clean", "published"] = "clean"
    test: float = Field(default=0.1, ge=0, lt=0.5)
    validation: float = Field(default=0.1, ge=0, lt=0.5)
    near: float = Field(default=0.7, gt=0, le=1)  # Jaccard of character 3-grams from which two posts are one
    seed: int = 0


class LabelPart(_Strict):
    """`conflicts`: two labels for one post. `disagreement`: another source's level on the other side of
    the binary label, which wins: the level is left out, or kept, or the row goes."""

    conflicts: Literal["drop", "first"] = "drop"
    disagreement: Literal["leave_out_level", "keep", "drop"] = "leave_out_level"


class TeachPart(_Strict):
    """Teachers are tried in order; what fails the checks goes back up to `attempts` times, then to the next one."""

    teachers: list[Literal["existing", "offline", "remote"]] = Field(min_length=1)
    attempts: int = Field(default=3, ge=1, le=10)
    mode: Literal["given", "hidden"] = "given"  # whether a remote teacher is told the label
    examples: int = Field(default=3, ge=0, le=20)
    bank: str | None = None  # a folder of experts' own examples (under --from), in place of those that ship
    remote: RemoteSettings | None = Field(default=None, validate_default=True)

    # of fields, not of the whole: a whole is looked at only when nothing else is wrong, and all errors are said at once
    @field_validator("teachers")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        return _distinct(value)

    @field_validator("remote")
    @classmethod
    def _named(cls, value: RemoteSettings | None, info: ValidationInfo) -> RemoteSettings | None:
        if value is None and "remote" in info.data.get("teachers", ()):
            raise ValueError("the teacher `remote` needs a table [teach.remote] with base_url and model")
        return value


class ReviewPart(_Strict):
    """The sample for experts: rows a task, spread over labels and teachers."""

    per_task: int = Field(default=100, ge=0)


class Recipe(_Strict):
    kind: Literal["dataset"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    version: str = Field("1.0.0", pattern=r"^\d+\.\d+\.\d+$")
    contact: str = ""  # whom to ask for a post to be taken out
    released: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")  # the date that cards carry; equal recipes give equal bytes
    tasks: list[Literal["suicide_risk", "cognitive_distortion", "cognitive_pathway", "pathway_summary", "imhi"]] = (
        Field(min_length=1)
    )
    sources: list[SourcePart] = Field(min_length=1)
    split: SplitPart = SplitPart()
    labels: LabelPart = LabelPart()
    teach: TeachPart
    quality: Quality = Quality()
    review: ReviewPart = ReviewPart()

    def hashed(self) -> dict[str, Any]:
        """What makes this another run: not how fast, or for how much, a server is asked."""
        return self.model_dump(mode="json", exclude={"teach": {"remote": set(PACE)}})

    @field_validator("released", mode="before")
    @classmethod
    def _date(cls, value: object) -> object:
        """TOML's own dates are fine too."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, str):
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError(f"{value!r} is no date such as 2026-01-31") from None
        return value

    @field_validator("tasks")
    @classmethod
    def _derived(cls, value: list[str]) -> list[str]:
        if "pathway_summary" in value and "cognitive_pathway" not in value:
            raise ValueError("pathway_summary is made from cognitive_pathway, which is not among the tasks")
        return _distinct(value)

    @field_validator("sources")
    @classmethod
    def _each(cls, value: list[SourcePart]) -> list[SourcePart]:
        _distinct([part.name for part in value])
        return value


def _distinct(names: list[str]) -> list[str]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} stands there twice")
    return names


def read(path: Path) -> Recipe:
    """Raises UserError that lists everything wrong with the recipe."""
    return recipe_file.read(path, Recipe, "recipes/c_imhi.toml", _said)


def _said(error: Any) -> str:
    if error["type"] != "extra_forbidden":
        return recipe_file.message(error)
    table = next((str(x) for x in reversed(error["loc"][:-1]) if isinstance(x, str)), "")
    known = _TABLES[table].model_fields if table in _TABLES else {}
    close = difflib.get_close_matches(str(error["loc"][-1]), known, 1, 0.7)
    return "there is no such key" + (f"; did you mean {close[0]}?" if close else "")


_TABLES: dict[str, type[BaseModel]] = {
    "": Recipe, "sources": SourcePart, "table": Mapping, "records": Records, "split": SplitPart, "labels": LabelPart,
    "teach": TeachPart, "remote": RemoteSettings, "prices": Prices, "quality": Quality, "review": ReviewPart,
}  # fmt: skip
