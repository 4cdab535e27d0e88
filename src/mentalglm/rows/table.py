"""CSV and TSV as rows of cells, one at a time, with what is wrong with a row told instead of raised."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .encoding import Line

# A quote that is never closed would take the rest of the file into one field: beyond this a record is given up.
_MAX_RECORD = 4 << 20  # characters
csv.field_size_limit(_MAX_RECORD)


class Row(NamedTuple):
    """The cells of a record, the number of its first line, and why it cannot be used (code, message), or None."""

    cells: list[str]
    line: int
    problem: tuple[str, str] | None = None


def delimiter_of(header: str) -> str:
    """The tab, comma or semicolon of a header line; files called .csv are often separated by one of the others."""
    for mark in ("\t", ",", ";"):
        if mark in header:
            return mark
    return ","


def tsv(lines: Iterable[Line]) -> Iterator[Row]:
    """A line is a row, whatever quotes stand in it: the csv default would merge rows with a lone quotation mark."""
    for line in lines:
        if line.text.strip("\r\n"):
            problem = ("encoding", line.problem) if line.problem else None
            yield Row(line.text.rstrip("\r\n").split("\t"), line.number, problem)


def quoted(lines: Iterable[Line], delimiter: str) -> Iterator[Row]:
    """Records with quoted cells, which may hold the delimiter and line breaks.

    Where a quote is never closed, the record that it stands in is bad, and reading goes on at the line after it.
    """
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=delimiter)
    while True:
        feed.taken.clear()
        feed.size, feed.ended = 0, False
        problem: tuple[str, str] | None = None
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = ("bad_row", f"line {feed.taken[0].number}: {error}")
        # The reader asks for another line inside a record only where a quote is open. One that is open at the end of
        # the file was never closed; nor was one whose record is only whole because the next row has a quote too.
        if not problem and (feed.ended or feed.too_long or (len(feed.taken) > 1 and _is_loose(feed.taken, delimiter))):
            problem = ("bad_row", f"line {feed.taken[0].number}: a quotation mark is opened here and never closed")
        first = feed.taken[0]
        if problem:
            feed.give_back()
            reader = csv.reader(feed, delimiter=delimiter)
        bad = next((line.problem for line in feed.taken if line.problem), None)
        if bad and not problem:
            problem = ("encoding", bad)
        if cells or problem:
            yield Row(cells, first.number, problem)


def _is_loose(lines: list[Line], delimiter: str) -> bool:
    try:
        next(csv.reader((line.text for line in lines), delimiter=delimiter, strict=True))
    except csv.Error:
        return True
    return False


class _Feed:
    """Hands lines to the reader, and keeps those of the current record so that they can be read again."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._again: deque[Line] = deque()
        self.taken: list[Line] = []
        self.size, self.ended, self.too_long = 0, False, False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.size > _MAX_RECORD:
            self.too_long = True
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None:
            self.ended = bool(self.taken)
            raise StopIteration
        self.taken.append(line)
        self.size += len(line.text)
        return line.text

    def give_back(self) -> None:
        """All but the first line of the record will be read again."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
        self.too_long = False
