"""What remote teachers answered, kept so that nothing is paid for twice.

A journal is one SQLite file: an answer is a row with text, numbers and JSON, no pickle. A row is written as the answer
comes, in a transaction of its own (0.1 ms): a process that is killed loses none that was written. The disk is made to
hold it (fsync) about every 16 MB of changes and at the end; a power cut may lose the answers since, which are then
asked again, and leaves the file whole (WAL, synchronous=NORMAL). Timeouts and other failures are no answers and are not
kept.

`asked` holds what is under way. What is still there when a journal is opened was in flight when the build was killed:
it may be asked again, and is then counted in `asked_again`.

It holds posts, since answers quote them. It is made with mode 600 and stays with the build; nobody deletes it unasked.
When the dataset is finished, `purge` takes out all answers, or those older than a time, and overwrites their place in
the file; a build after that asks for them again.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from mentalglm.build.item import Mode, Status
from mentalglm.errors import UserError

APPLICATION, VERSION = 0x4D474A31, 1  # "MGJ1" in the file's header
KEPT: tuple[Status, ...] = ("ok", "refused", "unparsed")

_TABLES = """
create table answers (
  teacher text not null, item text not null, mode text not null, attempt integer not null, request text not null,
  status text not null, raw text not null, problem text not null, tokens_in integer not null,
  tokens_out integer not null, cost real not null, seconds real not null, at real not null, asked integer not null,
  meta text not null, primary key (teacher, item, mode, attempt, request)
);
create table asked (
  teacher text not null, item text not null, mode text not null, attempt integer not null, request text not null,
  times integer not null, at real not null, primary key (teacher, item, mode, attempt, request)
) without rowid;
create table batches (id text primary key, teacher text not null, questions text not null, at real not null);
"""

ANSWERS = "answers.sqlite"  # the journal's name in its folder


class Key(NamedTuple):
    """What an answer is an answer to. `teacher` is the teacher's fingerprint, `request` the hash of what was sent."""

    teacher: str
    item: str
    mode: Mode
    attempt: int
    request: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer as it came. `seconds` is how long it took, `at` when it came (Unix time); `meta` is plain JSON."""

    status: Status
    raw: str
    problem: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    at: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many answers a journal holds, by status; `asked_again`: how often a question was put again because a kill
    lost its answer; `in_flight`: questions without an answer yet; tokens and cost over all answers."""

    ok: int = 0
    refused: int = 0
    unparsed: int = 0
    asked_again: int = 0
    in_flight: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    @property
    def answers(self) -> int:
        return self.ok + self.refused + self.unparsed


class Journal:
    """An open journal; one process at a time. Use `with Journal.open(path) as journal`."""

    def __init__(self, path: Path, lock: int, database: sqlite3.Connection) -> None:
        self.path, self._lock, self._database = path, lock, database
        self._insert = f"insert or replace into answers values ({','.join('?' * 15)})"

    @classmethod
    def open(cls, path: str | Path) -> Journal:
        """Opens the journal at `path`, or makes it. A journal that another build has open, that is damaged, or that
        is no journal is a UserError, and is left as it is."""
        path = Path(path)
        lock = _lock(path)
        try:
            return cls(path, lock, _connect(path))
        except BaseException:
            os.close(lock)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Brings everything to the disk and lets others open the journal. Closing twice is fine."""
        if self._lock < 0:
            return
        try:
            with _plain(self.path):
                self._database.close()
        finally:
            os.close(self._lock)
            self._lock = -1

    def get(self, key: Key) -> Entry | None:
        """The answer to `key`; None where there is none."""
        with _plain(self.path):
            row = self._database.execute(
                "select status, raw, problem, tokens_in, tokens_out, cost, seconds, at, meta from answers "
                "where teacher = ? and item = ? and mode = ? and attempt = ? and request = ?",
                key,
            ).fetchone()
        return None if row is None else Entry(*row[:8], meta=json.loads(row[8]))

    def begin(self, *keys: Key) -> None:
        """Notes that the questions are being put, before they are sent."""
        now = time.time()
        with self._change() as database:
            database.executemany(
                "insert into asked values (?, ?, ?, ?, ?, 1, ?) on conflict do update set times = times + 1, at = ?",
                [(*key, now, now) for key in keys],
            )

    def put(self, key: Key, entry: Entry) -> None:
        """Keeps an answer; it is safe from a kill when this returns. A failure is no answer: ValueError."""
        if entry.status not in KEPT:
            raise ValueError(f"{entry.status!r} is not kept")
        with self._change() as database:
            gone = database.execute(f"delete from asked where {_SAME} returning times", key).fetchone()
            database.execute(
                self._insert,
                (*key, entry.status, entry.raw, entry.problem, entry.tokens_in, entry.tokens_out, entry.cost,
                 entry.seconds, entry.at or time.time(), gone[0] if gone else 1,
                 json.dumps(entry.meta, ensure_ascii=False)),
            )  # fmt: skip

    def give_up(self, *keys: Key) -> None:
        """Notes that the questions had no answer and are not under way any more; the next build puts them anew."""
        with self._change() as database:
            database.executemany(f"delete from asked where {_SAME}", keys)

    def counts(self) -> Counts:
        """What the journal holds."""
        with _plain(self.path):
            rows = self._database.execute("select status, count(*) from answers group by status").fetchall()
            again, tokens_in, tokens_out, cost = self._database.execute(
                "select coalesce(sum(asked - 1), 0), coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0), "
                "total(cost) from answers"
            ).fetchone()
            flight, more = self._database.execute("select count(*), coalesce(sum(times - 1), 0) from asked").fetchone()
        return Counts(**dict(rows), asked_again=again + more, in_flight=flight, tokens_in=tokens_in,
                      tokens_out=tokens_out, cost=cost)  # fmt: skip

    def spent(self, teacher: str) -> tuple[float, int]:
        """Cost, and tokens in and out, of all answers of a teacher, over all builds on this journal."""
        with _plain(self.path):
            query = "select total(cost), coalesce(sum(tokens_in + tokens_out), 0) from answers where teacher = ?"
            return self._database.execute(query, (teacher,)).fetchone()

    def batch(self, id: str, teacher: str, questions: list[str]) -> None:
        """Notes a batch that the server took, with the names of its questions, so that a later build fetches it."""
        with self._change() as database:
            row = (id, teacher, json.dumps(questions), time.time())
            database.execute("insert or replace into batches values (?, ?, ?, ?)", row)

    def batches(self, teacher: str) -> dict[str, list[str]]:
        """The batches of a teacher whose answers were not fetched yet, with the names of their questions."""
        with _plain(self.path):
            query = "select id, questions from batches where teacher = ? order by at, id"
            return {id: json.loads(names) for id, names in self._database.execute(query, (teacher,)).fetchall()}

    def batch_done(self, id: str) -> None:
        with self._change() as database:
            database.execute("delete from batches where id = ?", (id,))

    def purge(self, *, older_than: float | None = None, all: bool = False) -> int:
        """Takes out answers for good and says how many: those that came before `older_than` (Unix time), or `all`.

        Their bytes are overwritten in the file and its log (`secure_delete`, then VACUUM). What the disk itself keeps,
        snapshots or the spare blocks of a solid-state disk, is out of reach.
        """
        if all == (older_than is not None):
            raise ValueError("name either older_than or all")
        before = float("inf") if older_than is None else older_than
        with self._change() as database:
            gone = database.execute("delete from answers where at < ?", (before,)).rowcount
            database.execute("delete from asked where at < ?", (before,))
            database.execute("delete from batches where at < ?", (before,))
        with _plain(self.path):
            self._database.execute("vacuum")
            self._database.execute("pragma wal_checkpoint(truncate)")
        return gone

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with _plain(self.path):
            self._database.execute("begin immediate")
            try:
                yield self._database
                self._database.execute("commit")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
                    self._database.execute("rollback")
                raise


_SAME = "teacher = ? and item = ? and mode = ? and attempt = ? and request = ?"
_THERE = "start again; every answer that was journaled is there"
_HEADER = b"SQLite format 3\x00"


def _connect(path: Path) -> sqlite3.Connection:
    with _plain(path):
        try:
            _make(path)
            with path.open("rb") as f:
                head = f.read(16)
        except OSError as error:
            raise UserError(f"cannot open the journal {path}: {(error.strerror or str(error)).lower()}",
                            "free the disk, or name another --out") from None  # fmt: skip
        if head and head != _HEADER:
            raise _damaged(path, "it does not begin as one")
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _prepare(database, path)
        except BaseException:
            database.close()
            raise
        return database


def _make(path: Path) -> None:
    """An empty file with mode 600 before SQLite writes into it: its log takes the mode from it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))
    except FileExistsError:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("pragma locking_mode = exclusive")  # no shared-memory file beside, and nobody reads half a build
    application = database.execute("pragma application_id").fetchone()[0]
    version = database.execute("pragma user_version").fetchone()[0]
    new = not database.execute("select count(*) from sqlite_master").fetchone()[0]
    if not new and application != APPLICATION:
        raise UserError(f"{path} is a database, but no journal of a build", "name another --out, or move it away")
    if not new and version != VERSION:
        raise UserError(
            f"{path} is a journal of version {version}, and this mentalglm reads version {VERSION}",
            "use the mentalglm that wrote it, or move it away",
        )
    if not new and (wrong := database.execute("pragma quick_check(1)").fetchone()[0]) != "ok":
        raise _damaged(path, wrong)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = normal")
    database.execute("pragma secure_delete = on")
    database.execute("pragma wal_autocheckpoint = 4000")
    if new:
        database.executescript(
            f"begin; pragma application_id = {APPLICATION}; pragma user_version = {VERSION}; {_TABLES} commit;"
        )


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"the journal {path} is damaged: {' '.join(why.split())[:120]}",
        "it was left as it is; put a copy back, or move it away and every answer is asked for again",
    )


@contextlib.contextmanager
def _plain(path: Path) -> Iterator[None]:
    """SQLite's errors, in words that say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise UserError(
                f"the disk is full: the journal {path} cannot grow", f"free some space and {_THERE}"
            ) from None
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            raise UserError(
                f"the journal {path} cannot be written: {error}", f"look after the disk and {_THERE}"
            ) from None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _busy(path, "") from None
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _damaged(path, str(error)) from None
        raise


def _busy(path: Path, who: str) -> UserError:
    return UserError(f"another build{who} is at work in {path.parent}", "wait for it, or name another --out")


def _lock(path: Path) -> int:
    """A lock that the kernel gives back when the process ends, however it ends. The file stays."""
    name = path.with_name(path.name + ".lock")
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot make {name}: {reason}", "free the disk, or name another --out") from None
    try:
        import fcntl
    except ImportError:  # Windows: SQLite's own exclusive lock, taken next, does the same
        return lock
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        who = os.read(lock, 20).decode("ascii", "ignore").strip()
        os.close(lock)
        raise _busy(path, f" (process {who})" if who else "") from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds without the number
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
