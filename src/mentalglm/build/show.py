"""A build's progress on a terminal: rows, drops by reason, tokens, cost, time left."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from mentalglm.build.teach.loop import Progress


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """A Progress that a bar follows where standard error is a terminal, else one that shows nothing."""
    seen = Progress()
    if not sys.stderr.isatty():
        yield seen
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[more]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as bar:
        task = bar.add_task("", total=None, more="")
        seen.changed = lambda: bar.update(task, total=seen.total, completed=seen.kept, more=line(seen))
        yield seen


def line(seen: Progress) -> str:
    """What does not pass, by reason, and what was spent."""
    parts = [f"{n:,} {reason}" for reason, n in seen.reasons.most_common(3)]
    if seen.unanswered:
        parts.append(f"{seen.unanswered:,} unanswered")
    if seen.tokens:
        parts.append(f"{seen.tokens:,} tokens")
    if seen.cost:
        parts.append(f"cost {seen.cost:,.2f}")
    return " · ".join(parts)
