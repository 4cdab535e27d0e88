"""One line to the person at the terminal."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """One line on standard error. What a post or a file brought into it cannot steer the terminal."""
    line = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in line)
    print(line, file=sys.stderr, flush=True)
