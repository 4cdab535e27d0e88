"""How far a long run is: a bar on standard error with the rate and the time left."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mentalglm.schema import Record


def count_rows(path: Path) -> int | None:
    """About how many rows a file has, for the time left; None where that cannot be told quickly."""
    ending = path.suffix.lower()
    if not path.is_file():
        return None  # reading a pipe would take its rows away
    with contextlib.suppress(Exception):  # the reader says what is wrong with a file, not the bar
        if ending == ".parquet":
            import pyarrow.parquet

            return pyarrow.parquet.read_metadata(path).num_rows
        if ending == ".csv":
            with path.open(encoding="utf-8", errors="replace", newline="") as f:
                return max(sum(1 for _ in csv.reader(f)) - 1, 0)
        with path.open("rb") as f:
            lines = sum(block.count(b"\n") for block in iter(lambda: f.read(1 << 20), b""))
        return max(lines - (ending == ".tsv"), 0)
    return None


@contextlib.contextmanager
def bar(total: Callable[[], int | None]) -> Iterator[Callable[[Record], None]]:
    """Shows a bar where standard error is a terminal, and yields what to call with every record that is done."""
    if not sys.stderr.isatty():
        yield lambda record: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} posts/s" if task.speed else "– posts/s", style="cyan")

    columns: list[Any] = [BarColumn(bar_width=32), MofNCompleteColumn(), Rate(), TimeRemainingColumn(compact=True)]
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as progress:
        task = progress.add_task("", total=total())
        yield lambda record: progress.advance(task)
