"""Puts the posts back into a publish-safe dataset, for those who hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mentalglm import runs
from mentalglm.build.export import SPLITS, Counts, export, fields, files, meta
from mentalglm.build.export.rows import line
from mentalglm.errors import UserError

from . import row as rows_
from .row import STRIPPED, text_hash
from .strip import apart

MISSING = "missing.jsonl"  # the stripped rows whose post was not found, with `reason`


@dataclass(frozen=True, slots=True)
class Restored:
    """`missing`: rows whose post is not among those given; `other_text`: rows whose post is there by its key, in another
    wording (spaces, punctuation), so that offsets would not hold. Both stand in `missing.jsonl`."""

    counts: Counts
    missing: int
    other_text: int


def restore(
    folder: str | Path,
    posts: Mapping[str, str] | Iterable[tuple[str, str]],
    out: str | Path,
    overwrite: bool = False,
) -> Restored:
    """Writes the whole dataset to `out`: the rows as they were before `strip`, in every style, with a manifest.

    posts: (content key, text) in any order, or a mapping; several texts of one key are fine, the row's hash chooses. Only
    posts that the dataset names are held in memory. Rows that are not restored are listed in `missing.jsonl`; their share
    is not a failure. With every post at hand the files are those of the original dataset, `dropped.jsonl` aside, which
    keeps its stripped form. A folder that holds no stripped dataset is a UserError.
    """
    folder = Path(folder)
    facts = meta.read(folder)
    apart(folder, out)
    paths = {f"{split}.jsonl": folder / f"{split}.jsonl" for split in SPLITS}
    _check(folder, paths)
    pairs: Iterable[tuple[str, str]] = posts.items() if isinstance(posts, Mapping) else posts  # pyright: ignore
    found, seen = gather(paths, pairs)
    inputs = paths | {name: folder / name for name in ("dropped.jsonl", meta.META)}
    config = {"variant": "restored", "posts": text_hash("".join(sorted(found)))}
    with runs.start("publish", config, inputs, out=out, overwrite=overwrite) as run:
        lost = _Lost(seen)
        if run.done:
            counts = Counts()
            for row in lost.kept(_rows(paths), found):
                counts.add(row)
            return Restored(counts, lost.missing, lost.other_text)
        with files.writing(run.folder / MISSING) as listed:
            lost.write = lambda row: listed.write(line(row) + "\n")
            counts = export(lost.kept(_rows(paths), found), files.read(folder / "dropped.jsonl"), run.folder, facts)
        run.counts = counts.as_dict() | {"missing": lost.missing, "other_text": lost.other_text}
    return Restored(counts, lost.missing, lost.other_text)


class _Lost:
    """Rows on their way back; those that cannot go are counted and handed to `write`."""

    def __init__(self, seen: set[str]) -> None:
        self._seen = seen
        self.missing = self.other_text = 0
        self.write: Callable[[dict[str, Any]], object] = lambda row: None

    def kept(self, rows: Iterable[dict[str, Any]], found: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        for row in rows:
            text = found.get(row["text_sha256"])
            if text is not None:
                try:
                    yield rows_.restore(row, text)
                except ValueError as error:
                    raise UserError(f"row {row['id']}: {error}", "fetch the stripped dataset again") from None
                continue
            other = row["key"] in self._seen
            self.other_text += other
            self.missing += not other
            self.write(row | {"reason": "other_text" if other else "missing"})


def gather(paths: Mapping[str, Path], posts: Iterable[tuple[str, str]]) -> tuple[dict[str, str], set[str]]:
    """The texts that rows ask for, by hash, and the keys under which some text was given."""
    wanted: dict[str, set[str]] = {}
    for row in _rows(paths):
        wanted.setdefault(row["key"], set()).add(row["text_sha256"])
    found: dict[str, str] = {}
    seen: set[str] = set()
    for key, text in posts:
        if key not in wanted or not fields.is_unicode(text):
            continue
        seen.add(key)
        digest = text_hash(text)
        if digest in wanted[key]:
            found[digest] = text
    return found, seen


def _rows(paths: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
    for path in paths.values():
        yield from files.read(path)


def _check(folder: Path, paths: Mapping[str, Path]) -> None:
    for path in [*paths.values(), folder / "dropped.jsonl"]:
        if not path.is_file():
            raise UserError(f"{folder} has no {path.name}", "name a dataset that was stripped for publishing")
    for path in paths.values():
        for number, row in enumerate(files.read(path), 1):
            if problems := fields.problems(row, STRIPPED):
                raise UserError(
                    f"{path}, line {number} is no row of a stripped dataset ({problems[0]})",
                    "name a dataset that was stripped for publishing",
                )
