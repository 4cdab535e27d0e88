"""One build a folder at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mentalglm.errors import UserError
from mentalglm.runs import JOURNAL


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds the lock of `folder`; a second process gets a UserError at once. It goes with the process, however it ends."""
    (folder / JOURNAL).mkdir(mode=0o700, exist_ok=True)
    with (folder / JOURNAL / "lock").open("w") as f:
        try:
            import fcntl
        except ImportError:  # Windows: a remote teacher's journal has SQLite's own lock
            pass
        else:
            try:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(f"another build is at work in {folder}", "wait for it, or name another --out") from None
        yield
