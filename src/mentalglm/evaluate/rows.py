"""The rows of a file of gold or predictions: JSONL, a JSON array, CSV, TSV or Parquet, each a dict or why it is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from mentalglm.errors import UserError
from mentalglm.rows import columns, encoding, table

FORMATS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}


class Item(NamedTuple):
    """A row with its number from 1; `problem` says why it is none."""

    number: int
    value: dict[str, Any]
    problem: str = ""


def read(path: Path) -> Iterator[Item]:
    """The rows of `path`, in order. Raises UserError for a file that is missing, empty, of another format or broken."""
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise UserError(
            f"cannot read {path}: its ending is none of {', '.join(FORMATS)}", "give records as `analyze` writes them"
        )
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty", "give a file with at least one row")
        if form == "parquet":
            yield from _parquet(path)
            return
        with path.open("rb", buffering=encoding.SAMPLE) as stream:
            lines = encoding.lines(stream, str(path))
            yield from _json(lines, path) if form == "json" else _table(lines, path, form)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}", "check the name") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}", "check the file") from None


def _json(lines: Iterator[encoding.Line], path: Path) -> Iterator[Item]:
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        raise UserError(f"{path} is empty", "give a file with at least one row")
    every = chain([first], lines)
    if first.text.lstrip().startswith("["):
        yield from _array(every, path)
        return
    number, decode = 0, json.JSONDecoder(strict=False).decode
    for line in every:
        if line.text.isspace() or not line.text:
            continue
        number += 1
        if line.problem:
            yield Item(number, {}, line.problem)
            continue
        try:
            value = decode(line.text)
        except (ValueError, RecursionError):
            yield Item(number, {}, f"line {line.number} is not JSON")
            continue
        if isinstance(value, dict):
            yield Item(number, value)
        else:
            yield Item(number, {}, f"line {line.number} is not a JSON object")


def _array(lines: Iterator[encoding.Line], path: Path) -> Iterator[Item]:
    try:
        values = json.loads("".join(line.text for line in lines), strict=False)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} begins as a JSON array and is none: {error}", "give one JSON object a line") from None
    if not values:
        raise UserError(f"{path} holds no rows", "give a file with at least one row")
    for number, value in enumerate(values, 1):
        whole = isinstance(value, dict)
        yield Item(number, value if whole else {}, "" if whole else f"item {number} is not a JSON object")


def _table(lines: Iterator[encoding.Line], path: Path, form: str) -> Iterator[Item]:
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        raise UserError(f"{path} is empty", "give a file with at least one row")
    mark = "\t" if form == "tsv" else table.delimiter_of(first.text)
    every = chain([first], lines)
    rows = table.tsv(every) if mark == "\t" else table.quoted(every, mark)
    head = next(rows)
    names = [name.strip().lstrip("\ufeff") for name in head.cells]
    number = 0
    for number, row in enumerate(rows, 1):
        if row.problem:
            yield Item(number, {}, row.problem[1])
        elif len(row.cells) != len(names):
            yield Item(number, {}, f"line {row.line} has {len(row.cells)} cells and the header {len(names)}")
        else:
            yield Item(number, dict(zip(names, row.cells, strict=True)))
    if number == 0:
        raise UserError(f"{path} has a header and no rows", "give a file with at least one row")


def _parquet(path: Path) -> Iterator[Item]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=10_000):
                for value in batch.to_pylist():
                    number += 1
                    yield Item(number, value)
    except pyarrow.ArrowException as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise UserError(
            f"{path} is not a Parquet file, or is broken after row {number}: {reason}", "make it anew"
        ) from None
    if number == 0:
        raise UserError(f"{path} holds no rows", "give a file with at least one row")


def id_of(row: dict[str, Any]) -> str | None:
    """A row's id as text, under the names that ids bear (as `analyze` reads them); None where there is none."""
    value = row.get("id")
    if value is None or value == "":
        known = {name.lower(): value for name, value in row.items() if value not in (None, "")}
        value = next((known[name] for name in columns.ID_NAMES if name in known), None)
    if value is None:
        return None
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
