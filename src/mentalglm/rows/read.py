"""Posts out of a file of any format, one at a time: what cannot be read is a `BadRow` in its place."""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import UserError
from ..schema import BadRow, Post
from . import columns, objects, table
from .encoding import SAMPLE, Line, lines
from .objects import Raw

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
}
_MAX_IDS = 500_000  # rows whose ids are remembered to tell duplicates: memory stays flat beyond
_CONVERT = {".xlsx": "CSV", ".xls": "CSV", ".docx": "plain text", ".gz": "itself, unpacked", ".zip": "itself, unpacked"}


def read(source: str | Path, text_column: str | None = None, id_column: str | None = None) -> Iterator[Post | BadRow]:
    """The rows of `source` (a path, or `-` for standard input), in order, in constant memory.

    What is wrong with the file as a whole is raised at the call, as a UserError. Columns are found by their names
    unless given. A row without an id is numbered from 1; duplicate ids are kept, with one warning. Standard input may
    be JSONL, Parquet, CSV or TSV with a header that names a column of posts, or one post a line.
    """
    piped = str(source) == "-"
    name = "standard input" if piped else str(source)
    stream = _standard_input() if piped else _open(Path(source))
    try:
        rows = _rows(stream, None if piped else _format(Path(source)), name, text_column, id_column)
        first = next(rows, None)
        if first is None:
            raise UserError(f"{name} has no rows: nothing to analyse", "give a file with at least one post")
    except BaseException:
        stream.close()
        raise
    return _closing(stream, _ids(chain([first], rows)))


def _open(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            inside = sorted(p.name for p in path.iterdir() if p.suffix.lower() in FORMATS)[:1]
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


def _format(path: Path) -> str | None:
    """The format that the ending names; None without one, such as /dev/stdin: then the content says it."""
    ending = path.suffix.lower()
    if ending and ending not in FORMATS:
        other = f"save it as {_CONVERT[ending]}" if ending in _CONVERT else "give it one of these endings"
        raise UserError(f"cannot read {path.name}: {ending} is none of .jsonl, .csv, .tsv, .parquet, .txt", other)
    return FORMATS.get(ending)


def _rows(stream: BinaryIO, form: str | None, name: str, text: str | None, id_: str | None) -> Iterator[Raw]:
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    start = buffered.peek(64)[:64]
    if not start:
        raise UserError(f"{name} is empty", "give a file with at least one post")
    if form == "parquet" or (form is None and start.startswith(b"PAR1")):
        return objects.parquet(buffered, name, text, id_)
    if start.startswith(b"PAR1"):
        raise UserError(f"{name} is a Parquet file by its content", "end its name in .parquet")
    all_lines = lines(buffered, name)
    first = next((line for line in all_lines if line.text.strip()), None)
    if first is None:
        raise UserError(f"{name} is empty", "give a file with at least one post")
    all_lines = chain([first], all_lines)
    form = form or _sniff(first.text, text)
    if form == "jsonl":
        read_objects = objects.json_array if re.match(r"\s*\[\s*(?:{|$)", first.text) else objects.jsonl
        return read_objects(all_lines, name, text, id_)
    if form in ("csv", "tsv"):
        return _table(all_lines, form, first.text, name, text, id_)
    if text or id_:
        raise UserError(f"{name} is plain text, which has no columns", "leave out --text-column and --id-column")
    return (Raw(None, _bare(line), {}, _encoding_problem(line)) for line in all_lines if line.text.strip())


def _sniff(first: str, text: str | None) -> str:
    """The format of a file without an ending, by its first line that is not blank."""
    if re.match(r"\s*(?:{|\[\s*(?:{|$))", first):
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
) -> Iterator[Raw]:
    mark = table.delimiter_of(header)
    rows = table.tsv(all_lines) if form == "tsv" or mark == "\t" else table.quoted(all_lines, mark)
    head = next(rows)
    if head.problem:
        raise UserError(f"the header of {name} cannot be read: {head.problem[1]}", "mend its first line")
    names = columns.unique(head.cells)
    chosen = columns.find(names, text, id_, name)
    return (_table_row(row, names, chosen) for row in rows)


def _table_row(row: table.Row, names: list[str], chosen: columns.Columns) -> Raw:
    cells: dict[str, Any] = dict(zip(names, row.cells, strict=False))
    id_ = cells.pop(chosen.id, None) if chosen.id else None
    text = cells.pop(chosen.text, None)
    problem = row.problem
    if problem is None and len(row.cells) > len(names) and any(row.cells[len(names) :]):
        what = f"line {row.line} has {len(row.cells)} cells and the header {len(names)}"
        problem = ("bad_row", f"{what}: put cells that hold the separator in quotation marks")
    elif problem is None and text is None:
        problem = ("missing_text", f"line {row.line} ends before the column {chosen.text!r}")
    return Raw(id_, None if problem else text, {} if problem else cells, problem)


# ---- ids, blanks


def _ids(rows: Iterator[Raw]) -> Iterator[Post | BadRow]:
    check = _duplicates()
    for number, raw in enumerate(rows, 1):
        given = raw.id.strip() if raw.id else ""
        check(given, number)
        id_ = given or str(number)
        if raw.problem:
            yield BadRow(id_, number, *raw.problem, raw.extra)
        elif raw.text is None or is_blank(raw.text):
            what = (
                f"the text of row {number} is blank: nothing in it can be seen"
                if raw.text
                else f"row {number} has no text"
            )
            yield BadRow(id_, number, "empty_text", what, raw.extra)
        else:
            yield Post(id_, raw.text, raw.extra, number)


def _duplicates() -> Callable[[str, int], None]:
    seen: set[int] = set()
    numbered = bytearray(1)  # for each row, whether its number is its id
    warned = False

    def check(given: str, number: int) -> None:
        nonlocal warned
        if warned or number > _MAX_IDS:
            return
        id_ = given or str(number)
        mark = hash(id_)
        if mark in seen or (given and _is_number_of(given, numbered)):
            warned = True
            seen.clear()
            warnings.warn(
                f"the id {id_!r} of row {number} stands on an earlier row too; all rows are kept", stacklevel=3
            )
        numbered.append(not given)
        if given:
            seen.add(mark)

    return check


def _is_number_of(given: str, numbered: bytearray) -> bool:
    """Whether a given id is that of an earlier row that has its number for one."""
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(_MAX_IDS)) and given[0] != "0"):
        return False
    return int(given) < len(numbered) and bool(numbered[int(given)])


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
