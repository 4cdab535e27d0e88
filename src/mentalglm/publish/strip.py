"""Makes the publish-safe variant of a dataset: keys, labels, offsets and explanations, without a word of the posts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mentalglm import runs
from mentalglm.build.export import SPLITS, Counts, describe, files, meta, rows
from mentalglm.errors import UserError

from . import row as rows_
from .row import STRIPPED

# Of a dropped row only this is kept: the rest may quote the post, and none of it passed the checks.
DROPPED = ("id", "key", "task", "split", "reason", "teacher", "mode", "source_ids", "sources")


def apart(folder: Path, out: str | Path) -> None:
    """Raises UserError where `out` is `folder`, in it or around it: writing there would take away what is read."""
    a, b = folder.resolve(), Path(out).resolve()
    if a == b or a in b.parents or b in a.parents:
        raise UserError(f"--out {out} is the dataset itself, in it or around it", "name another --out")


def strip(folder: str | Path, out: str | Path, overwrite: bool = False) -> Counts:
    """Writes the variant of the dataset in `folder` to `out`, with its own cards, `croissant.json` and manifest.

    Every row is checked before it is written: in what is left to read of its explanation, summary and remarks there is no
    run of six characters of its post (of the whole post where that is shorter). A row that fails would be a bug and
    raises. A folder that is no dataset, or has changed, is a UserError; `out` follows the rules of run folders.
    """
    folder = Path(folder)
    facts = meta.read(folder)
    apart(folder, out)
    sources = {f"{split}.jsonl": folder / f"{split}.jsonl" for split in SPLITS}
    inputs = sources | {name: folder / name for name in ("dropped.jsonl", meta.META)}
    for path in inputs.values():
        if not path.is_file():
            raise UserError(f"{folder} has no {path.name}", "name a dataset that `mentalglm build` wrote")
    if (folder / runs.MANIFEST).is_file() and (changed := runs.verify(folder)):
        raise UserError(f"{folder} is not as its manifest says: {changed[0]}", "build it again")
    counts = Counts()
    with runs.start("publish", {"variant": "stripped"}, inputs, out=out, overwrite=overwrite) as run:
        if run.done:
            for row in _whole(sources.values()):
                counts.add(row)
            return counts
        counts.untyped = _write(run.folder, _whole(sources.values()), counts)
        files.jsonl(run.folder / "dropped.jsonl", _dropped(folder / "dropped.jsonl", counts))
        for split in SPLITS:
            target = run.folder / "parquet" / f"{split}.parquet"
            files.parquet(target, files.read(run.folder / f"{split}.jsonl"), STRIPPED)
        describe(run.folder, STRIPPED, counts, facts, "stripped")
        run.counts = counts.as_dict()
    return counts


def _write(folder: Path, whole: Iterable[dict[str, Any]], counts: Counts) -> tuple[str, ...]:
    splits = files.Splits(folder, STRIPPED)
    try:
        for row in whole:
            # The first row of a file keeps its turns, coded: a reader that infers types learns the column from it, and
            # the order of the rows stays that of the whole dataset.
            splits.add(_safe(row, turns=not counts.rows[row["split"]]))
            counts.add(row)
        splits.close()
        return splits.untyped
    finally:
        splits.discard()


def _whole(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for number, row in enumerate(files.read(path), 1):
            if problems := rows.problems(row):
                raise UserError(f"{path}, line {number} is no row of a dataset ({problems[0]})", "build it again")
            yield row


def _safe(row: dict[str, Any], turns: bool) -> dict[str, Any]:
    out = rows_.strip(row, turns)
    if name := rows_.leak(out, row["text"]):
        raise AssertionError(f"row {row['id']}: {name} still holds a passage of the post")
    return out


def _dropped(path: Path, counts: Counts) -> Iterator[dict[str, Any]]:
    for row in files.read(path):
        counts.drop(str(row.get("reason", "")))
        yield {name: row[name] for name in DROPPED if name in row}
