"""Which of a set's files a folder holds: those that its publishers distribute, at their repository path or flat, or the
tidy form; and reading them."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

from ..errors import MissingError, UserError
from .source import TIDY, File, Place, Reading, Rejected, Source


def find_form(source: Source, folder: str | Path | None) -> tuple[Place, ...]:
    """The files of `source` that a read uses, in order. Raises MissingError where none is there.

    Each split is taken from the first of the set's forms that has it (`source.forms`): published files before the tidy
    ones, which fill in what is missing. A form whose files hold several splits is used only where it is the first one.
    """
    if source.folder is None and folder is None:
        raise MissingError(f"the set {source.key} needs a folder with its files", _mend(source))
    base = source.folder or Path(folder or ".")
    if not base.is_dir():
        raise MissingError(f"there is no folder {base}", _mend(source))
    there = [Place(f, path) for f in source.files if (path := locate(source, f, base)) is not None]
    if source.own and (gone := [f.path for f in source.files if f not in {p.file for p in there}]):
        raise MissingError(f"{', '.join(gone)} is not in {base}", _mend(source))
    chosen: list[Place] = []
    covered: set[str] = set()
    for form in source.forms:
        parts = {p.file.part for p in there if p.file.form == form and p.file.role == "rows"}
        if ("" in parts and covered) or "" in covered:
            continue
        chosen += [p for p in there if p.file.form == form and p.file.role == "rows" and p.file.part not in covered]
        covered |= parts
    chosen += [p for p in there if p.file.role == "more"]
    if not chosen:
        raise MissingError(f"no file of the set {source.key} is in {base}", _mend(source))
    return tuple(chosen + [p for p in there if p.file.role == "aux"])


def locate(source: Source, file: File, folder: Path) -> Path | None:
    """Where `file` lies in `folder`; None where it does not."""
    own = [folder]
    if file.form != TIDY and source.folder is None:
        # a clone, what `fetch` makes, or the archive that the site packs
        own += [folder / source.home, *sorted(folder.glob(f"{glob.escape(source.home)}-*"))]
    flat = () if file.form == TIDY else file.flat if file.flat is not None else (file.name,)
    for name in (file.path, *flat):
        for root in own:
            if (path := root / name).is_file():
                return path
    return None


def inputs(source: Source, folder: str | Path | None) -> dict[str, Path]:
    """Every file that a read of `source` uses, by a name that is the same on every machine (for a run's hash)."""

    def name(place: Place) -> str:  # a table of one's own may be named by its whole path
        return place.path.name if Path(place.file.path).is_absolute() else place.file.path

    return {f"{source.key}/{name(place)}": place.path for place in find_form(source, folder)}


def rows(source: Source, place: Place, places: tuple[Place, ...]) -> Iterator:
    """The rows of one file. Raises UserError for a file that cannot be read, or of which no row can be used."""
    good = 0
    first: Rejected | None = None
    for row in source.read(source, place, places):
        if isinstance(row, Rejected):
            first = first or row
        else:
            good += 1
        yield row
    if not good and first is not None:
        raise UserError(
            f"no row of {place.path} can be used; line {first.line}: {first.reason}",
            f"is this the published file? `mentalglm data check {source.key}` says what differs",
        )


def read(source: Source, folder: str | Path | None = None) -> Reading:
    """All rows of `source` out of `folder` (none for a set that ships with the project), rejected ones beside.

    Raises MissingError where no file of it is there, UserError where a file cannot be read.
    """
    places = find_form(source, folder)
    every = [row for place in places if place.file.role != "aux" for row in rows(source, place, places)]
    good = tuple(row for row in every if not isinstance(row, Rejected))
    if not good:
        raise UserError(f"the files of {source.key} hold no rows", f"look at {places[0].path}")
    return Reading(good, tuple(row for row in every if isinstance(row, Rejected)))


def _mend(source: Source) -> str:
    if source.unfetchable:
        return f"name the folder that holds a copy with --from FOLDER ({source.unfetchable})"
    return f"fetch it: mentalglm data fetch {source.key}; or name the folder that holds it with --from FOLDER"
