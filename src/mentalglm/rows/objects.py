"""Rows of objects: JSON lines, a JSON array, Parquet. Also `Raw`, what every reader gives before ids are set."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from ..errors import UserError
from . import columns
from .encoding import Line

_LOOK_AHEAD = 100  # rows of JSON in which the columns are looked for


class Raw(NamedTuple):
    """A row before it is a post: `text` is None where it could not be had, and then `problem` is (code, message)."""

    id: str | None
    text: str | None
    extra: dict[str, Any]
    problem: tuple[str, str] | None = None


def jsonl(all_lines: Iterator[Line], name: str, text: str | None, id_: str | None) -> Iterator[Raw]:
    rows = (_json_line(line) for line in all_lines if line.text.strip())
    return _objects(rows, name, text, id_)


def _json_line(line: Line) -> dict[str, Any] | tuple[str, str]:
    if line.problem:
        return "encoding", line.problem
    try:
        value = json.loads(line.text, strict=False)
    except (ValueError, RecursionError) as error:
        reason = (
            error.msg.lower() if isinstance(error, json.JSONDecodeError) else "nested too deep or a number too long"
        )
        return "bad_json", f"line {line.number} is not JSON: {reason}"
    if not isinstance(value, dict):
        return "bad_json", f"line {line.number} is not a JSON object"
    return value


def json_array(all_lines: Iterator[Line], name: str, text: str | None, id_: str | None) -> Iterator[Raw]:
    """One JSON array of objects. It is read whole: the format allows no other way."""
    pieces: list[str] = []
    for line in all_lines:
        if line.problem:
            raise UserError(f"{name}: {line.problem}", "convert the file to UTF-8")
        pieces.append(line.text)
    try:
        values = json.loads("".join(pieces), strict=False)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} begins as a JSON array and is none: {error}", "give one JSON object a line") from None
    rows = (
        v if isinstance(v, dict) else ("bad_json", f"item {n} is not a JSON object") for n, v in enumerate(values, 1)
    )
    return _objects(rows, name, text, id_)


def _objects(
    rows: Iterator[dict[str, Any] | tuple[str, str]], name: str, text: str | None, id_: str | None
) -> Iterator[Raw]:
    """Rows of objects whose keys may differ: the columns are looked for in the first hundred."""
    ahead = list(islice(rows, _LOOK_AHEAD))
    names = [key for row in ahead if isinstance(row, dict) for key in row]
    chosen = columns.find(names, text, id_, name) if names else columns.Columns(text or "text", id_ or "id")
    return (_object(row, chosen) for row in chain(ahead, rows))


def _object(row: dict[str, Any] | tuple[str, str], chosen: columns.Columns) -> Raw:
    if isinstance(row, tuple):
        return Raw(None, None, {}, row)
    id_, text = row.pop(chosen.id, None) if chosen.id else None, row.pop(chosen.text, None)
    name = _id_text(id_)
    if text is None:
        return Raw(name, None, row, ("missing_text", f"there is no text under {chosen.text!r}"))
    if not isinstance(text, str):
        return Raw(name, None, row, ("not_text", f"{chosen.text!r} holds {_kind(text)}, not text"))
    return Raw(name, text, row)


def _id_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def parquet(stream: io.BufferedReader, name: str, text: str | None, id_: str | None) -> Iterator[Raw]:
    import pyarrow
    import pyarrow.parquet

    source: Any = stream
    if not stream.seekable():
        source = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the rows are read)
        while block := stream.read(1 << 20):
            source.write(block)
        source.seek(0)
    try:
        file = pyarrow.parquet.ParquetFile(source, buffer_size=1 << 20, pre_buffer=False)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{name} is not a Parquet file, or is broken: {_first_line(error)}", "make it anew") from None
    schema = file.schema_arrow
    chosen = columns.find(schema.names, text, id_, name)
    kind = schema.field(chosen.text).type
    value_kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    if not any(
        test(value_kind)
        for test in (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_string_view)
    ):
        raise UserError(
            f"the column {chosen.text!r} of {name} holds {kind}, not text", "name another with --text-column"
        )
    return _batches(file, chosen, name)


def _batches(file: Any, chosen: columns.Columns, name: str) -> Iterator[Raw]:
    import pyarrow

    done = 0
    try:
        for batch in file.iter_batches(batch_size=500):
            for i in range(batch.num_rows):
                done += 1
                yield _cells(batch, i, done, chosen)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{name} is broken after row {done}: {_first_line(error)}", "make it anew") from None
    finally:
        file.close()


def _cells(batch: Any, i: int, number: int, chosen: columns.Columns) -> Raw:
    row: dict[str, Any] = {}
    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row.setdefault(column, values[i].as_py())
        except (UnicodeDecodeError, ValueError, OverflowError) as error:
            if column == chosen.text:
                return Raw(None, None, {}, ("encoding", f"row {number} holds text that is not UTF-8"))
            row[column] = f"unreadable: {type(error).__name__}"
    return _object(row, chosen)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200].rstrip(". ") or type(error).__name__
