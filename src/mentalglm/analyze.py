"""The job of `mentalglm analyze`: rows in, a model, records out, in order and in constant memory."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mentalglm.errors import UserError
from mentalglm.interrupts import Interrupts
from mentalglm.outputs import Journal
from mentalglm.progress import bar, count_rows
from mentalglm.rows import json_line, read
from mentalglm.schema import BadRow, Post, Record, error_record

if TYPE_CHECKING:
    from mentalglm.models import Model

Row = Post | BadRow
PAGE_ROWS = 10_000  # posts on one page, beyond which a browser takes its time


class Sink(Protocol):
    """Where records go."""

    def write(self, record: Record, post: Row) -> None: ...


@dataclass(slots=True)
class Tally:
    """What the last line says."""

    rows: int = 0
    failed: Counter[str] = field(default_factory=Counter)  # rows by error code
    unsure: Counter[str] = field(default_factory=Counter)  # abstained analyses by task
    unsure_rows: int = 0
    task_errors: int = 0
    dropped_quotes: int = 0

    def add(self, record: Record) -> None:
        self.rows += 1
        if record["status"] == "error":
            self.failed[record["error"]["code"]] += 1
            return
        analyses: dict[str, Any] = record["analyses"]
        abstained = [name for name, a in analyses.items() if a.get("abstained")]
        self.unsure.update(abstained)
        self.unsure_rows += bool(abstained)
        self.task_errors += sum("error" in a for a in analyses.values())
        self.dropped_quotes += sum(a.get("dropped_quotes", 0) for a in analyses.values())

    def line(self) -> str:
        """Rows, failures by code, abstentions by task and dropped quotes; what is nought is left out."""
        parts = [f"{self.rows:,} row{'s' * (self.rows != 1)}"]
        if self.unsure_rows:
            parts.append(f"{self.unsure_rows:,} not sure ({_counts(self.unsure)})")
        if self.failed:
            parts.append(f"{self.failed.total():,} failed ({_counts(self.failed)})")
        if self.task_errors:
            parts.append(f"{self.task_errors:,} single tasks failed")
        if self.dropped_quotes:
            parts.append(f"{self.dropped_quotes:,} quotes dropped that are not in their post")
        return ", ".join(parts)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counter.most_common())


def in_order(model: Model, rows: Iterable[Row], tasks: Sequence[str] | None, lang: str) -> Iterator[tuple[Record, Row]]:
    """Every row with its record, in order: those that could not be read stand between those that the model answers.

    The model may read ahead; what it has read waits here. An error of the reader is raised after the rows before it.
    """
    waiting: deque[Row] = deque()
    broken: list[UserError] = []

    def posts() -> Iterator[Post]:
        try:
            for row in rows:
                waiting.append(row)
                if isinstance(row, Post):
                    yield row
        except UserError as error:
            broken.append(error)

    def unread() -> Iterator[tuple[Record, Row]]:
        while waiting and isinstance(row := waiting[0], BadRow):
            waiting.popleft()
            yield error_record(row.id, row.code, row.message), row

    for record in model.analyze(posts(), tasks=tasks, lang=lang):
        yield from unread()
        yield record, waiting.popleft()
    yield from unread()
    if broken:
        raise broken[0]


def run(
    rows: Iterable[Row],
    load: Callable[[], Model],
    sink: Sink,
    *,
    tasks: Sequence[str] | None = None,
    lang: str = "zh",
    journal: Journal | None = None,
    progress: Callable[[Record], None] = lambda record: None,
    say: Callable[[str], None] = lambda line: None,
) -> int:
    """Analyses `rows` into `sink` and returns the exit code.

    load: makes the model, called only when a row is left to do; journal: the sink if it is a file, which knows what an
    earlier call has done; progress: called with every record; say: prints a line for the person.
    """
    tally, started = Tally(), time.monotonic()
    with Interrupts() as interrupts:
        try:
            left = iter(rows)
            last = _skip_done(left, journal, tally, progress)
            if last and journal and not journal.known:
                _same_flags(last, tasks, journal)
            for record, row in _records(left, lambda: _noted(load(), say), tasks, lang, last):
                with interrupts.held():
                    sink.write(record, row)
                    tally.add(record)
                    progress(record)
            if journal:
                journal.finish()
        except KeyboardInterrupt:
            return _interrupted(interrupts.signal or signal.SIGINT, tally, journal, say)
        except BaseException:
            if journal:
                journal.keep()
            raise
    if journal or tally.rows > 1 or tally.failed:
        where = f" → {journal.path}" if journal else ""
        say(f"mentalglm: {tally.line()}, {_duration(time.monotonic() - started)}{where}")
    if journal and journal.format == "html" and tally.rows > PAGE_ROWS:
        say(f"mentalglm: note: a page of {tally.rows:,} posts opens slowly; .csv or .parquet suit so many better")
    return 1 if tally.failed else 0


def _noted(model: Model, say: Callable[[str], None]) -> Model:
    """Tells what the model has to say of the way it was asked for, such as what an operating point costs."""
    if note := getattr(model, "note", None):
        say(f"mentalglm: note: {note}")
    return model


def _skip_done(
    rows: Iterator[Row], journal: Journal | None, tally: Tally, progress: Callable[[Record], None]
) -> Record | None:
    """Takes off `rows` what an earlier call has done, and counts it; returns the last good record of it."""
    last = None
    for record in journal.records() if journal and journal.done else ():
        row = next(rows, None)
        if row is None or journal is None:
            raise UserError(
                f"{journal and journal.path} has {journal and journal.done:,} rows and the input only {tally.rows:,}",
                "give the input that it was begun with, or --overwrite to start anew",
            )
        journal.check(record, row)
        tally.add(record)
        progress(record)
        last = record if record["status"] == "ok" else last
    return last


def _same_flags(last: Record, tasks: Sequence[str] | None, journal: Journal) -> None:
    """Raises UserError where a finished output, whose settings are not kept, shows other flags than this call's."""
    from mentalglm.tasks import NAMES

    risk = last["analyses"].get("suicide_risk", {"error": None})
    flags = (("prevalence", "prevalence"), ("operating_point", "operating point"))
    other = "error" not in risk and any(risk.get(key) != journal.settings.get(flag) for key, flag in flags)
    if other or set(last["analyses"]) != set(tasks or NAMES):
        raise UserError(
            f"{journal.path} was made with other tasks or another prevalence or operating point",
            "give the same flags, or --overwrite to start anew",
        )


def _records(
    rows: Iterator[Row], load: Callable[[], Model], tasks: Sequence[str] | None, lang: str, last: Record | None
) -> Iterator[tuple[Record, Row]]:
    """The records of `rows`; the model is loaded for the first of them, and must be the one that wrote `last`."""
    first = next(rows, None)
    if first is None:
        return
    model = load()
    if last and last["model"] != {"name": model.name, "revision": model.revision}:
        was = f"{last['model']['name']} {last['model']['revision']}"
        raise UserError(
            f"what is done is of {was}, and this is {model.name} {model.revision}", "give --overwrite to start anew"
        )

    def all_rows() -> Iterator[Row]:
        yield first
        yield from rows

    yield from in_order(model, all_rows(), tasks, lang)


def _interrupted(number: int, tally: Tally, journal: Journal | None, say: Callable[[str], None]) -> int:
    """Keeps what is done, says how to go on, and returns the exit code of a program that a signal ended."""
    done = f"{tally.rows:,} row{'s are' if tally.rows != 1 else ' is'} done"
    if journal and tally.rows:
        with contextlib.suppress(KeyboardInterrupt):  # pressed again while the output is being made: the journal stays
            journal.stop()
        say(f"mentalglm: stopped; {done} and kept in {journal.file}; run the same command with --resume to go on")
    else:
        say(f"mentalglm: stopped; {done}" + ("" if journal else "; a run with --output FILE can be resumed"))
    return 128 + number


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"


class Source(NamedTuple):
    """A file of posts, or `-` for standard input, and its columns where their names do not say which they are."""

    path: str
    text_column: str | None = None
    id_column: str | None = None


class Lines:
    """Records as JSON lines on standard output, in UTF-8 whatever the terminal's encoding is."""

    def write(self, record: Record, post: Row) -> None:
        sys.stdout.buffer.write(json_line(record))
        sys.stdout.buffer.flush()


def command(
    posts: Sequence[str] | Source,
    load: Callable[[], Model],
    output: str | None,
    *,
    settings: dict[str, Any],
    resume: bool,
    overwrite: bool,
    say: Callable[[str], None],
) -> int:
    """`mentalglm analyze`: opens what the call names and runs the job. Returns the exit code.

    settings: `tasks`, `lang` and what else changes the records; an output is only resumed with the same ones.
    """
    journal = None
    if output is not None and output != "-":
        if isinstance(posts, Source) and posts.path != "-" and _same(Path(output), Path(posts.path)):
            raise UserError("the output is the input", "name another --output")
        journal = Journal(Path(output), settings, resume=resume, overwrite=overwrite)
        if journal.complete:
            say(f"mentalglm: {output} is finished, nothing is left to do; --overwrite analyses everything again")
            return 0
    elif resume or overwrite:
        raise UserError(f"--{'resume' if resume else 'overwrite'} needs an output", "name it with --output")
    cards = output is None and sys.stdout.isatty()
    if isinstance(posts, Source):
        rows = read(posts.path, posts.text_column, posts.id_column)
    else:
        rows = iter([Post(str(number), text, {}, number) for number, text in enumerate(posts, 1)])
    if cards:
        from mentalglm.card import Cards

        sink: Sink = Cards(settings["lang"])
    else:
        sink = journal or Lines()

    def total() -> int | None:
        return count_rows(Path(posts.path)) if isinstance(posts, Source) and posts.path != "-" else None

    with bar(total) if isinstance(posts, Source) and not cards else contextlib.nullcontext(_nothing) as advance:
        return run(
            rows, load, sink, tasks=settings["tasks"], lang=settings["lang"], journal=journal, progress=advance, say=say
        )


def _nothing(record: Record) -> None:
    pass


def _same(a: Path, b: Path) -> bool:
    return a.exists() and b.exists() and a.samefile(b)
