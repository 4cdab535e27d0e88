"""The files that sets are published in, as numbered rows: TSV without quotes, CSV, JSON lines, a JSON array.

A row that cannot be read is told from the others, so that it can be rejected by itself; a file that cannot is a
UserError with its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from ..rows import encoding, table
from .source import Code, Unusable


class Cells(NamedTuple):
    """A row of a table; `problem` says why it is none. `open`: no line feed ends it (a file's last row)."""

    line: int
    cells: list[str]
    problem: tuple[Code, str] | None = None
    open: bool = False

    def take(self, count: int) -> list[str]:
        """The cells, `count` of them. Raises Unusable."""
        if self.problem:
            raise Unusable(*self.problem)
        if len(self.cells) < count and self.open:
            raise Unusable("truncated", f"the file ends within this row: {len(self.cells)} of {count} cells")
        if len(self.cells) != count:
            raise Unusable("cells", f"it has {len(self.cells)} cells, not {count}")
        return self.cells


class Item(NamedTuple):
    """An object of a JSON file: its line (in an array: its number, from 1), and why it is none."""

    line: int
    value: dict[str, Any]
    problem: tuple[Code, str] | None = None

    def take(self) -> dict[str, Any]:
        """The object. Raises Unusable."""
        if self.problem:
            raise Unusable(*self.problem)
        return self.value


def text_lines(path: Path) -> Iterator[encoding.Line]:
    """The lines of a text file in UTF-8, GB18030 or what its mark says. Raises UserError for what is no text."""
    try:
        stream = path.open("rb", buffering=encoding.SAMPLE)
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}", "check the file") from None
    with stream:
        yield from encoding.lines(stream, str(path))


def tsv(path: Path) -> Iterator[Cells]:
    """Rows of tab-separated cells, one a line, quotes left as they are; blank lines are passed over."""
    for line in text_lines(path):
        if bare := line.text.rstrip("\r\n"):
            cut = not line.text.endswith("\n")
            yield Cells(line.number, bare.split("\t"), _line_problem(line, cut), cut)


def _line_problem(line: encoding.Line, cut: bool) -> tuple[Code, str] | None:
    if line.problem is None:
        return None
    return ("truncated", "the file ends within this row") if cut else ("encoding", line.problem)


def csv(path: Path) -> Iterator[Cells]:
    """Rows of a CSV with quoted cells, which may hold line breaks; the number is that of a row's first line."""
    for row in table.quoted(text_lines(path), ","):
        yield Cells(row.line, row.cells, _code(row.problem))


def _code(problem: tuple[str, str] | None) -> tuple[Code, str] | None:
    if problem is None:
        return None
    code, reason = problem
    return ("encoding", reason) if code == "encoding" else ("cells", reason)


def objects(path: Path) -> Iterator[Item]:
    """The objects of a JSON array or of JSON lines, whichever the file holds."""
    read = text_lines(path)
    first = next((line for line in read if line.text.strip()), None)
    if first is None:
        raise UserError(f"{path} is empty", "fetch it again, or name another folder")
    if first.text.lstrip().startswith("["):
        yield from _array(path, [first, *read])
        return
    last = None
    for line in (x for group in ([first], read) for x in group):
        if line.text.strip():
            if last is not None:
                yield last
            last = _object(line)
    if last is not None:
        if last.problem is not None and not _ends_whole(path):
            last = last._replace(problem=("truncated", "the file ends within this row"))
        yield last


def _object(line: encoding.Line) -> Item:
    if line.problem:
        return Item(line.number, {}, ("encoding", line.problem))
    try:
        value = json.loads(line.text, strict=False)
    except (ValueError, RecursionError) as error:
        return Item(line.number, {}, ("bad_json", f"it is not JSON ({_why(error)})"))
    if not isinstance(value, dict):
        return Item(line.number, {}, ("bad_json", "it is not a JSON object"))
    return Item(line.number, value)


def _array(path: Path, read: list[encoding.Line]) -> Iterator[Item]:
    bad = next((line for line in read if line.problem), None)
    if bad:
        raise UserError(f"{path}: {bad.problem}", "convert it to UTF-8, or fetch it again")
    text = "".join(line.text for line in read)
    try:
        values = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        at = f", line {error.lineno + read[0].number - 1}" if isinstance(error, json.JSONDecodeError) else ""
        cut = " (the file is cut off)" if not text.rstrip().endswith("]") else ""
        raise UserError(f"{path}{at} is not JSON: {_why(error)}{cut}", "fetch it again") from None
    for number, value in enumerate(values, 1):
        if isinstance(value, dict):
            yield Item(number, value)
        else:
            yield Item(number, {}, ("bad_json", f"item {number} is not a JSON object"))


def _why(error: Exception) -> str:
    return error.msg.lower() if isinstance(error, json.JSONDecodeError) else "nested too deep, or a number too long"


def _ends_whole(path: Path) -> bool:
    """Whether a file's last line is ended by a line feed."""
    with path.open("rb") as f:
        f.seek(0, 2)
        if f.tell() == 0:
            return True
        f.seek(-1, 2)
        return f.read(1) == b"\n"


def header(rows: Iterator[Cells], path: Path, *expected: str) -> Iterator[Cells]:
    """`rows` after their header, which must have the names `expected` in this order. Raises UserError if not."""
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path} is empty", "fetch it again, or name another folder")
    if first.problem:
        raise UserError(f"{path}, line {first.line}: {first.problem[1]}", "fetch it again")
    names = [cell.strip().strip('"').lstrip("\ufeff") for cell in first.cells]
    if names != list(expected):
        raise UserError(
            f"{path}, line {first.line}: the header is {shown_cells(names, ' | ')!r}, not {' | '.join(expected)!r}",
            "is this the published file? Another table is read with a mapping in the recipe",
        )
    return rows


def shown_cells(cells: Sequence[str], comma: str) -> str:
    """Cells for a message: short ones as they are, of a long one, which may be a post, its length alone."""
    return comma.join(c if len(c) <= 13 else f"({len(c)} characters)" for c in cells)[:80]
