"""Posts out of a file of any format, one at a time: what cannot be read is a `BadRow` in its place."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import UserError
from ..schema import BadRow, Post
from . import columns, table
from .encoding import SAMPLE, Line, lines

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
    ".text": "text",
    "": "text",
}
_LOOK_AHEAD = 100  # rows of JSONL in which the columns are looked for
_MAX_IDS = 500_000  # ids remembered to tell duplicates: memory stays flat beyond
_CONVERT = {".xlsx": "CSV", ".xls": "CSV", ".docx": "plain text", ".gz": "itself, unpacked", ".zip": "itself, unpacked"}


def read(source: str | Path, text_column: str | None = None, id_column: str | None = None) -> Iterator[Post | BadRow]:
    """The rows of `source` (a path, or `-` for standard input), in order, in constant memory.

    What is wrong with the file as a whole is raised at the call, as a UserError. Columns are found by their names
    unless given. A row without an id is numbered from 1; duplicate ids are kept, with one warning. Standard input may
    be JSONL, Parquet, CSV or TSV with a header that names a column of posts, or one post a line.
    """
    name = "standard input" if str(source) == "-" else str(source)
    stream = _standard_input() if str(source) == "-" else _open(Path(source))
    sniffed = None if str(source) == "-" else _format(Path(source))
    try:
        rows = _rows(stream, sniffed, name, text_column, id_column)
    except BaseException:
        stream.close()
        raise
    return _closing(stream, _ids(rows))


class _Raw(NamedTuple):
    """A row before it is a post: `text` is None where it could not be had, and then `problem` is (code, message)."""

    id: str | None
    text: str | None
    extra: dict[str, Any]
    problem: tuple[str, str] | None = None


def _open(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            inside = sorted(p.name for p in path.iterdir() if p.suffix.lower() in FORMATS and p.suffix)[:3]
            hint = f", such as {path / inside[0]}" if inside else ""
            raise UserError(f"{path} is a folder", f"name a file in it{hint}")
        stream = path.open("rb", buffering=SAMPLE)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}", "check the name; a post itself goes without --input") from None
    except PermissionError:
        raise UserError(f"cannot read {path}: permission denied", f"mend it: chmod u+r {path}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"cannot read {path}: {reason.lower()}", "check the name") from None
    return stream


def _standard_input() -> BinaryIO:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise UserError("there is no standard input", "name a file with --input")
    return stream


def _format(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in FORMATS:
        other = f"save it as {_CONVERT[ending]}" if ending in _CONVERT else "give it one of these endings"
        raise UserError(f"cannot read {path.name}: {ending} is none of .jsonl, .csv, .tsv, .parquet, .txt", other)
    return FORMATS[ending]


def _rows(stream: BinaryIO, form: str | None, name: str, text: str | None, id_: str | None) -> Iterator[_Raw]:
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    start = buffered.peek(64)[:64]
    if not start:
        raise UserError(f"{name} is empty", "give a file with at least one post")
    if form == "parquet" or (form is None and start.startswith(b"PAR1")):
        return _parquet(buffered, name, text, id_)
    if start.startswith(b"PAR1"):
        raise UserError(f"{name} is a Parquet file by its content", "end its name in .parquet")
    all_lines = lines(buffered, name)
    first = next((line for line in all_lines if line.text.strip()), None)
    if first is None:
        raise UserError(f"{name} is empty", "give a file with at least one post")
    all_lines = chain([first], all_lines)
    form = form or _sniff(first.text, text)
    if form == "jsonl":
        return (
            _json_array(all_lines, name, text, id_)
            if first.text.lstrip().startswith("[")
            else _jsonl(all_lines, name, text, id_)
        )
    if form in ("csv", "tsv"):
        return _table(all_lines, form, first.text, name, text, id_)
    if text or id_:
        raise UserError(f"{name} is plain text, which has no columns", "leave out --text-column and --id-column")
    return (_Raw(None, _bare(line), {}, _encoding_problem(line)) for line in all_lines if line.text.strip())


def _sniff(first: str, text: str | None) -> str:
    """The format of standard input by its first line that is not blank."""
    if first.lstrip().startswith("{"):
        return "jsonl"
    mark = table.delimiter_of(first)
    names = [cell.strip().strip('"').lower() for cell in first.split(mark)]
    if text is not None or (len(names) > 1 and any(known in names for known in columns.TEXT_NAMES)):
        return "tsv" if mark == "\t" else "csv"
    return "text"


def _bare(line: Line) -> str:
    return line.text.rstrip("\r\n")


def _encoding_problem(line: Line) -> tuple[str, str] | None:
    return ("encoding", line.problem) if line.problem else None


# ---- tables


def _table(
    all_lines: Iterator[Line], form: str, header: str, name: str, text: str | None, id_: str | None
) -> Iterator[_Raw]:
    mark = table.delimiter_of(header)
    rows = table.tsv(all_lines) if form == "tsv" or mark == "\t" else table.quoted(all_lines, mark)
    head = next(rows)
    if head.problem:
        raise UserError(f"the header of {name} cannot be read: {head.problem[1]}", "mend its first line")
    names = columns.unique(head.cells)
    chosen = columns.find(names, text, id_, name)
    return (_table_row(row, names, chosen) for row in rows)


def _table_row(row: table.Row, names: list[str], chosen: columns.Columns) -> _Raw:
    cells: dict[str, Any] = dict(zip(names, row.cells, strict=False))
    id_ = cells.pop(chosen.id, None) if chosen.id else None
    text = cells.pop(chosen.text, None)
    problem = row.problem
    if problem is None and len(row.cells) > len(names) and any(row.cells[len(names) :]):
        what = f"line {row.line} has {len(row.cells)} cells and the header {len(names)}"
        problem = ("bad_row", f"{what}: put cells that hold the separator in quotation marks")
    elif problem is None and text is None:
        problem = ("missing_text", f"line {row.line} ends before the column {chosen.text!r}")
    return _Raw(id_, None if problem else text, {} if problem else cells, problem)


# ---- JSON


def _jsonl(all_lines: Iterator[Line], name: str, text: str | None, id_: str | None) -> Iterator[_Raw]:
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


def _json_array(all_lines: Iterator[Line], name: str, text: str | None, id_: str | None) -> Iterator[_Raw]:
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
) -> Iterator[_Raw]:
    """Rows of objects whose keys may differ: the columns are looked for in the first hundred."""
    ahead = list(islice(rows, _LOOK_AHEAD))
    names = [key for row in ahead if isinstance(row, dict) for key in row]
    chosen = columns.find(names, text, id_, name) if names else columns.Columns(text or "text", id_ or "id")
    return (_object(row, chosen) for row in chain(ahead, rows))


def _object(row: dict[str, Any] | tuple[str, str], chosen: columns.Columns) -> _Raw:
    if isinstance(row, tuple):
        return _Raw(None, None, {}, row)
    id_, text = row.pop(chosen.id, None) if chosen.id else None, row.pop(chosen.text, None)
    name = _id_text(id_)
    if text is None:
        return _Raw(name, None, row, ("missing_text", f"there is no text under {chosen.text!r}"))
    if not isinstance(text, str):
        return _Raw(name, None, row, ("not_text", f"{chosen.text!r} holds {_kind(text)}, not text"))
    return _Raw(name, text, row)


def _id_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), f"a {type(value).__name__}")


# ---- Parquet


def _parquet(stream: io.BufferedReader, name: str, text: str | None, id_: str | None) -> Iterator[_Raw]:
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


def _batches(file: Any, chosen: columns.Columns, name: str) -> Iterator[_Raw]:
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


def _cells(batch: Any, i: int, number: int, chosen: columns.Columns) -> _Raw:
    row: dict[str, Any] = {}
    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row.setdefault(column, values[i].as_py())
        except (UnicodeDecodeError, ValueError, OverflowError) as error:
            if column == chosen.text:
                return _Raw(None, None, {}, ("encoding", f"row {number} holds text that is not UTF-8"))
            row[column] = f"unreadable: {type(error).__name__}"
    return _object(row, chosen)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200].rstrip(". ") or type(error).__name__


# ---- ids, blanks


def _ids(rows: Iterator[_Raw]) -> Iterator[Post | BadRow]:
    check = _duplicates()
    for number, raw in enumerate(rows, 1):
        id_ = raw.id.strip() if raw.id else ""
        if id_:
            check(id_, number)
        else:
            id_ = str(number)
        if raw.problem:
            yield BadRow(id_, number, *raw.problem, raw.extra)
        elif raw.text is None or is_blank(raw.text):
            yield BadRow(id_, number, "empty_text", f"row {number} has no text", raw.extra)
        else:
            yield Post(id_, raw.text, raw.extra, number)


def _duplicates() -> Callable[[str, int], None]:
    seen: set[int] = set()
    warned = False

    def check(id_: str, number: int) -> None:
        nonlocal warned
        if warned or len(seen) >= _MAX_IDS:
            return
        mark = hash(id_)
        if mark in seen:
            warned = True
            seen.clear()
            warnings.warn(
                f"the id {id_!r} of row {number} stands on an earlier row too; all rows are kept", stacklevel=3
            )
        seen.add(mark)

    return check


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen: white space, control and zero-width characters, lone surrogates."""
    if not text or text.isspace():
        return True
    if any(ch.isalnum() for ch in text[:64]):
        return False
    from ..text import clean

    return not clean(text[:4096], mask=False).text and (len(text) <= 4096 or is_blank(text[4096:]))


def _closing(stream: BinaryIO, rows: Iterator[Post | BadRow]) -> Iterator[Post | BadRow]:
    try:
        yield from rows
    finally:
        if stream is not getattr(sys.stdin, "buffer", None):
            stream.close()
