"""What the cards and the Croissant file say beyond what the rows show; kept with the dataset as `meta.json`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from mentalglm.errors import UserError

META = "meta.json"


class _Note(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Note):
    """A published set: `name` as in the rows' `sources`."""

    name: str
    title: str = ""
    paper: str = ""  # authors, title, year
    paper_url: str = ""
    url: str = ""  # where its authors publish it
    licence: str = "none stated"
    synthetic: bool = False  # written by language models
    note_en: str = ""
    note_zh: str = ""


class Teacher(_Note):
    """Who wrote explanations. `recipient` and `country`: where posts were sent, empty for what ran on this machine."""

    name: str
    mode: str = ""  # given, hidden, or empty
    recipient: str = ""
    country: str = ""
    fingerprint: str = ""
    note_en: str = ""
    note_zh: str = ""


class Said(_Note):
    """One sentence in both languages: a check, a prompt file, how the splits were cut."""

    en: str
    zh: str


class Figure(_Note):
    """A measured quality figure, already worded with its interval: `0.0 % (0 of 5,812)`."""

    en: str
    zh: str
    value: str


class Meta(_Note):
    """`date` is that of the build's inputs or recipe, never of the clock: equal inputs give equal bytes."""

    name: str = "c-imhi-style"
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")] = "1.0.0"
    date: date
    command: str = ""  # that builds it
    software: str = "mentalglm"
    url: str = ""  # where this dataset is published, if it is
    contact: str = ""  # whom to ask for a post to be taken out
    sources: tuple[Source, ...] = ()
    teachers: tuple[Teacher, ...] = ()
    prompts: tuple[str, ...] = ()  # files, with their versions or hashes
    checks: tuple[Said, ...] = ()
    splits: tuple[Said, ...] = ()
    figures: tuple[Figure, ...] = ()


def read(folder: Path) -> Meta:
    """The meta of a dataset that was exported; a UserError where there is none or it cannot be read."""
    path = folder / META
    try:
        return Meta.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{folder} has no {META}", "name a dataset that `mentalglm build` wrote") from None
    except (OSError, ValidationError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}", "build the dataset again") from None
