"""Files that survive what happens to a long run: a kill, a full disk, Ctrl-C.

Every record goes to a *journal* first, one line a record, appended and synced. For `.jsonl` the output is its own
journal. The other formats cannot be continued once written, so theirs is `OUTPUT.partial.jsonl`, which holds the posts
too; the output is made from it at the end, under another name, and moved into place whole. Beside the journal
`OUTPUT.progress.json` says with which settings and on which posts the run began, until it is finished.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mentalglm.errors import MissingError, UserError
from mentalglm.rows import json_line, open_writer
from mentalglm.schema import BadRow, Post, Record

FORMATS = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet", ".html": "html"}
_BUFFER = 1 << 16  # bytes that wait at most before they are written
_FLUSH = 1.0  # seconds that they wait at most
_SYNC = 5.0  # seconds between two syncs of the file and its progress


def format_of(path: Path) -> str:
    """The format that a file's ending names. Raises UserError for another one."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"cannot tell the format of {path} by its ending", f"end it in {', '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


class Journal:
    """The records that are done, on disk. `done` counts those that were there when it was opened.

    A call opens it, passes the first `done` posts of the input to `check`, `write`s the others, and then calls either
    `finish` (the output is complete) or `stop` (what is done stays, and --resume goes on from there).
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        self.path, self.format = path, format_of(path)
        self.direct = self.format == "jsonl"
        self.file = path if self.direct else path.with_name(path.name + ".partial.jsonl")
        self.progress = path.with_name(path.name + ".progress.json")
        self.settings = json.loads(json.dumps(settings))
        self.done, self.complete, self.rows = 0, False, 0
        self._hash = hashlib.sha256()
        self.known: dict[str, Any] = {}  # the progress that an earlier call left
        self._raw: io.FileIO | None = None
        self._good, self._buffer, self._exported = 0, bytearray(), False
        self._flushed = self._synced = time.monotonic()
        self._check_place(resume, overwrite)
        if resume and self.file.exists():
            self._good = self._read_back()
        elif resume and path.exists():
            if not _ours(path, self.format):
                raise UserError(f"{path} is no output of ours", "name another --output, or --overwrite to replace it")
            self.complete = True  # it was moved into place whole, and its journal is gone

    def _check_place(self, resume: bool, overwrite: bool) -> None:
        folder = self.path.parent
        if self.path.is_dir():
            raise UserError(f"{self.path} is a folder", f"name a file in it, such as {self.path / 'analyses.jsonl'}")
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}", f"make it first: mkdir -p {folder}")
        if not os.access(self.path if self.path.exists() else folder, os.W_OK):
            raise UserError(
                f"cannot write {self.path}: permission denied", "name another file, or mend its permissions"
            )
        if resume and overwrite:
            raise UserError("--resume and --overwrite contradict each other", "give one of them")
        if resume or overwrite:
            return
        if self.path.exists():
            raise UserError(f"{self.path} exists", "add --resume to go on with it, or --overwrite to replace it")
        if self.file.exists():
            raise UserError(
                f"{self.file} holds what an interrupted run has done",
                "add --resume to go on, or --overwrite to start anew",
            )

    def _open(self) -> io.FileIO:
        """The file, opened after its good part; late, so that a call that fails at its start changes nothing."""
        if self._raw is None:
            with disk_errors(self.file):
                self._raw = io.FileIO(self.file, "r+" if self.file.exists() else "w+")
                self._raw.truncate(self._good)
                self._raw.seek(self._good)
            self._note()  # before the first record: a kill from here on leaves what --resume must compare with
        return self._raw

    def _read_back(self) -> int:
        """Counts the records of the journal; returns the length of its good part, without a half-written last line."""
        if self.progress.exists():
            with contextlib.suppress(ValueError):
                self.known = json.loads(self.progress.read_bytes())
        begun = self.known.get("settings", self.settings)
        if changed := [k for k in self.settings if begun.get(k) != self.settings[k]]:
            was = ", ".join(f"{k} {begun.get(k)!r}" for k in changed)
            raise UserError(f"{self.path} was begun with {was}", "give the same flags, or --overwrite to start anew")
        good = 0
        with self.file.open("rb") as f:
            for number, line in enumerate(f, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    record = json.loads(line)
                    _ = record["id"] if self.direct else record["record"]["id"]
                except (ValueError, KeyError, TypeError):
                    mend = "give --overwrite to start anew, or another --output"
                    raise UserError(f"line {number} of {self.file} is no record of ours", mend) from None
                good += len(line)
                self.done += 1
        return good

    def records(self) -> Iterator[Record]:
        """The records that were there when it was opened, in order; not what stands after them, which is half a line."""
        for record, _ in islice(self._entries(), self.done):
            yield record

    def _entries(self) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Records with their posts; a journal that is the output itself holds no posts."""
        with self.file.open("rb") as f:
            for line in f:
                entry = json.loads(line)
                yield (entry, {}) if self.direct else (entry["record"], entry["post"])

    def check(self, record: Record, post: Post | BadRow) -> None:
        """Raises UserError unless `record`, which an earlier call wrote, can be that of `post`."""
        text = post.text if isinstance(post, Post) else ""
        same = record["id"] == post.id and all(
            e["quote"] == text[e["start"] : e["end"]]
            for analysis in record.get("analyses", {}).values()
            for e in analysis.get("evidence", ())
        )
        self._count(post)
        if same and self.rows == self.known.get("rows"):
            same = self._hash.hexdigest() == self.known["sha256"]
        if not same:
            raise UserError(
                f"row {self.rows} of {self.path} is of another post than row {self.rows} of the input",
                "give the input that it was begun with, or --overwrite to start anew",
            )

    def _count(self, post: Post | BadRow) -> None:
        text = post.text if isinstance(post, Post) else f"\0{post.code}"
        self._hash.update(json.dumps([post.id, text]).encode())
        self.rows += 1

    def write(self, record: Record, post: Post | BadRow) -> None:
        """Appends one record. Raises MissingError when the disk is full; what was done before stays whole."""
        self._buffer += json_line(record if self.direct else {"post": _as_dict(post), "record": record})
        self._count(post)
        now = time.monotonic()
        if len(self._buffer) >= _BUFFER or now - self._flushed >= _FLUSH:
            self._flush()
        if now - self._synced >= _SYNC:
            self.sync()

    def _flush(self) -> io.FileIO:
        raw, self._flushed = self._open(), time.monotonic()
        with disk_errors(self.file):
            written = 0
            try:
                while written < len(self._buffer):
                    written += raw.write(self._buffer[written:]) or 0
            except OSError:
                self._good += self._buffer.rfind(b"\n", 0, written) + 1
                raw.truncate(self._good)  # half a line is none
                self._buffer.clear()
                raise
            self._good += written
            self._buffer.clear()
        return raw

    def sync(self) -> None:
        """Everything so far is on disk, and so is what it is made of."""
        raw = self._flush()
        with disk_errors(self.progress):
            os.fsync(raw.fileno())
            self._synced = time.monotonic()
        self._note()

    def _note(self) -> None:
        """Writes down the settings, and the posts that the records so far are of."""
        state = {"settings": self.settings, "rows": self.rows, "sha256": self._hash.hexdigest()}
        with disk_errors(self.progress):
            temporary = self.progress.with_name(self.progress.name + ".tmp")
            temporary.write_text(json.dumps(state, indent=1))
            os.replace(temporary, self.progress)

    def stop(self) -> None:
        """Ends a run that is not through: what is done stays, and the output is made of it where that can be."""
        self.sync()
        self._export()

    def keep(self) -> None:
        """`stop` after an error, which is the one to tell: another one here is not."""
        with contextlib.suppress(UserError, OSError):
            if self._raw or self._buffer:
                self.stop()

    def finish(self) -> None:
        """The last record was written: the output is complete, and its progress is forgotten."""
        self.sync()
        self._export()
        self._open().close()
        if not self.direct:
            self.file.unlink()
        self.progress.unlink(missing_ok=True)

    def _export(self) -> None:
        """Makes the output of the journal, and moves it into place whole."""
        if self.direct or self._exported:
            return
        self._exported = True
        temporary = self.path.with_name(f"{self.path.name}.tmp{self.path.suffix}")
        try:
            with disk_errors(self.path):
                writer = open_writer(temporary, self.format)
                for record, post in self._entries():
                    writer.write(record, _from_dict(post))
                writer.close()
                os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)


def _ours(path: Path, kind: str) -> bool:
    """Whether a finished table or page looks like one that this program wrote."""
    with disk_errors(path), path.open("rb") as f:
        if kind == "html":
            return b"mentalglm" in f.read(1 << 16)
        f.seek(0 if kind == "csv" else max(0, path.stat().st_size - (1 << 20)))  # a Parquet file's columns stand last
        return b".abstained" in f.read(1 << 20)


def _as_dict(post: Post | BadRow) -> dict[str, Any]:
    text = {"text": post.text} if isinstance(post, Post) else {"code": post.code, "message": post.message}
    return {"id": post.id, "row": post.row, **text, "extra": post.extra}


def _from_dict(value: dict[str, Any]) -> Post | BadRow:
    return Post(**value) if "text" in value else BadRow(**value)


def reason(error: OSError) -> str:
    """What the system says, in lower case and without its number."""
    return (error.strerror or str(error)).lower()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what a disk says into one line for people: MissingError when it is full, UserError otherwise."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            mend = "free some space, then run the same command with --resume: what was done is kept"
            raise MissingError(f"no space left to write {path}", mend) from e
        raise UserError(f"cannot write {path}: {reason(e)}", "name another file, or mend its permissions") from e
