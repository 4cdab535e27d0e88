"""Runs the command line in a process of its own, with the fake model in the place of `mini`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def environment(**more: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1", "NO_COLOR": "1", **more}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "tests.run_fake", *map(str, words)]


def run(*words: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None, **more: Any) -> Done:
    done = subprocess.run(
        command(*words), input=stdin, capture_output=True, env=environment(**(env or {})), timeout=300, **more
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


class Done:
    """What a process left: its exit code, and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def line(self) -> str:
        """Standard error, which must be one line of ours."""
        assert self.err.startswith("mentalglm: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out[-2000:]}\n{self.err[-2000:]}"
