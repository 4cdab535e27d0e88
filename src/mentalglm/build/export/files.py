"""Files of rows, written with bounded memory and in the same bytes for the same rows."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from mentalglm.errors import UserError

from . import fields as columns
from .fields import Fields
from .rows import SPLITS, line

ROW_GROUP = 1000  # rows of a Parquet row group: what is in memory at a time


@contextlib.contextmanager
def writing(path: Path, newline: str = "\n") -> Iterator[IO[str]]:
    """Opens `path` for text in UTF-8; it appears whole, or not at all. A full disk is a UserError."""
    temporary = path.with_name(path.name + ".tmp")
    with said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline=newline) as f:
            yield f
        os.replace(temporary, path)


@contextlib.contextmanager
def said(path: Path) -> Iterator[None]:
    """Turns a failure of the system to write `path` into a UserError."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot write {path}: {reason}", "make room, or name another --out") from error


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON Lines, one at a time. A line that is none is a UserError with its number."""
    with path.open(encoding="utf-8", newline="\n") as f:
        for number, text in enumerate(f, 1):
            try:
                yield json.loads(text)
            except ValueError as error:
                raise UserError(f"{path}, line {number} is not JSON: {error}", "build the dataset again") from None


def text(path: Path, value: str) -> None:
    """Writes a small file."""
    with writing(path) as f:
        f.write(value)


def pretty(path: Path, value: Any) -> None:
    """Writes a small JSON file for people and programs."""
    text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


class Splits:
    """Rows on their way into `train.jsonl`, `validation.jsonl` and `test.jsonl` of `folder`.

    `datasets` takes the type of a column from the first rows of the first file, and a column that is null in all of them
    has no type: what comes later then fails. So the first rows of a file are those from which every column's type can be
    learned, at most a few dozen; the others follow in the order in which they came.
    """

    def __init__(self, folder: Path, fields: Fields) -> None:
        self._folder, self._fields = folder, fields
        self._seen: dict[str, set[str]] = {split: set() for split in SPLITS}
        self._first: dict[str, dict[int, str]] = {split: {} for split in SPLITS}
        self._rows = dict.fromkeys(SPLITS, 0)
        with said(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._spools = {split: self._spool(split).open("w", encoding="utf-8", newline="\n") for split in SPLITS}

    def add(self, row: dict[str, Any]) -> None:
        split, text = row["split"], line(row)
        seen = self._seen[split]
        learned = {p for name, field in self._fields.items() for p in columns.learned(row[name], field, name)}
        with said(self._folder):
            if not learned <= seen:
                seen |= learned
                self._first[split][self._rows[split]] = text
            self._spools[split].write(text + "\n")
        self._rows[split] += 1

    def close(self) -> None:
        """Writes the three files and removes the spools."""
        for split in SPLITS:
            with said(self._folder):
                self._spools[split].close()
            first = self._first[split]
            with writing(self._folder / f"{split}.jsonl") as out:
                out.writelines(f"{first[at]}\n" for at in sorted(first))
                with self._spool(split).open(encoding="utf-8", newline="\n") as f:
                    out.writelines(text for at, text in enumerate(f) if at not in first)
            self._spool(split).unlink()

    @property
    def untyped(self) -> tuple[str, ...]:
        """Columns of which `train` shows no type, and another split does."""
        later = set().union(*(self._seen[split] for split in SPLITS[1:]))
        return tuple(sorted(later - self._seen["train"])) if self._rows["train"] else ()

    def discard(self) -> None:
        """Removes the spools after a failure."""
        for split, spool in self._spools.items():
            with contextlib.suppress(OSError):
                spool.close()
            self._spool(split).unlink(missing_ok=True)

    def _spool(self, split: str) -> Path:
        return self._folder / f"{split}.jsonl.spool"


def parquet(path: Path, rows: Iterable[dict[str, Any]], fields: Fields) -> None:
    """Writes rows as Parquet. Nothing in it depends on when or where; the bytes are those of the installed pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = columns.arrow_schema(fields)
    temporary = path.with_name(path.name + ".tmp")
    with said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(
            temporary, schema, compression="zstd", compression_level=3, version="2.6", use_dictionary=True
        ) as out:
            rows = iter(rows)
            while batch := list(islice(rows, ROW_GROUP)):
                out.write_table(pa.Table.from_pylist(batch, schema=schema), row_group_size=ROW_GROUP)
        os.replace(temporary, path)


def jsonl(path: Path, values: Iterable[Any]) -> None:
    with writing(path) as f:
        f.writelines(line(value) + "\n" for value in values)


def json_array(path: Path, values: Iterable[Any]) -> None:
    """A JSON array, one value a line."""
    with writing(path) as f:
        f.write("[")
        for number, value in enumerate(values):
            f.write((",\n" if number else "\n") + line(value))
        f.write("\n]\n")


def csv_table(path: Path, header: tuple[str, ...], values: Iterable[dict[str, str]]) -> None:
    """CSV with every cell quoted, as the readers of IMHI's files expect texts with line breaks."""
    with writing(path, newline="") as f:
        out = csv.DictWriter(f, header, quoting=csv.QUOTE_ALL, lineterminator="\n")
        out.writeheader()
        out.writerows(values)
