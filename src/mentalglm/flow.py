"""Chinese paragraphs in a terminal. rich breaks lines at spaces alone, which leaves Chinese lines ragged and cut."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

_NOT_FIRST = set("，。、；：？！…—～·”’）》】』」〉,.;:?!)]}%")  # what may not begin a line
_NOT_LAST = set("“‘（《【『「〈([{")  # what may not end one


class Flow:
    """A text that is broken between Chinese characters, at spaces, and never before closing punctuation."""

    def __init__(self, text: Text | str, style: str = "") -> None:
        self.text = Text(text, style=style) if isinstance(text, str) else text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.text.divide(list(breaks(self.text.plain, options.max_width))):
            line.rstrip()
            line.no_wrap, line.overflow = True, "fold"
            yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widths = [cell_len(line) for line in self.text.plain.split("\n")]
        return Measurement(min(8, options.max_width), min(max(widths, default=0), options.max_width))


def breaks(text: str, width: int) -> Iterator[int]:
    """Where the lines of `text` end so that none is wider than `width` cells, spaces at its end aside."""
    start, used, good = 0, 0, 0  # the line's first character, its width so far, the last place where it may end
    for at, c in enumerate(text):
        if c == "\n":
            yield at + 1
            start, used, good = at + 1, 0, at + 1
            continue
        if at > start and _may_break(text[at - 1], c):
            good = at
        size = cell_len(c)
        if used + size > width and not c.isspace() and at > start:
            end = good if good > start else at
            yield end
            start, good = end, end
            used = cell_len(text[end:at])
        used += size


def _may_break(before: str, after: str) -> bool:
    if after in _NOT_FIRST or before in _NOT_LAST or after.isspace():
        return False
    return before.isspace() or cell_len(before) == 2 or cell_len(after) == 2
