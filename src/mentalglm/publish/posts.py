"""The posts that somebody holds, as a dataset has them: masked, under their content key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from mentalglm.build.items import masked
from mentalglm.errors import MissingError
from mentalglm.sources import catalogue, find
from mentalglm.text import content_key


def held(sources: Iterable[str], folder: Path | None) -> Iterator[tuple[str, str]]:
    """(content key, text) of every post of `sources` that `folder` has; a set that is not there gives none, since what
    it would have given is listed as missing. Raises MissingError where no set is there."""
    if folder is not None and not folder.is_dir():
        raise MissingError(f"there is no folder {folder}", "name the folder that holds the sets with --from FOLDER")
    any_here = False
    for name in sources:
        known = next((s for s in catalogue.SOURCES if s.key == name), None)
        if known is None:
            continue
        try:
            reading = find.read(known, folder)
        except MissingError:
            continue
        any_here = True
        for row in reading.rows:
            text, _ = masked(row)
            yield content_key(text), text
    if not any_here:
        raise MissingError("none of the dataset's sets is here", "name the folder that holds them with --from FOLDER")
