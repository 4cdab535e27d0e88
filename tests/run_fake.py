"""The command line with the fake model in the place of `mini`: `python -m tests.run_fake VERB …`, for tests.

FAKE_DELAY is how many seconds a post takes; FAKE_DIES raises a bug at that row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mentalglm import cli, models
from mentalglm.schema import Post, Record
from tests.fakes import FakeModel


class Slow(FakeModel):
    def analyze(
        self, posts: Iterable[Post | str], *, tasks: Sequence[str] | None = None, lang: str = "zh"
    ) -> Iterator[Record]:
        for number, record in enumerate(super().analyze(posts, tasks=tasks, lang=lang), 1):
            time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
            if number == int(os.environ.get("FAKE_DIES", "0")):
                raise RuntimeError("a bug in the model")
            yield record


def load(spec: str, **options: Any) -> models.Model:
    models.check(spec, **options)
    return Slow()


models.load = load
if __name__ == "__main__":
    cli.main()
