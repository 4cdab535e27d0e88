"""The interface between the build and whoever writes explanations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Protocol

from mentalglm.build.item import Item, Mode, Taught


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a teacher. `complaints`: what was wrong with its last answers, for it to mend, in words."""

    item: Item
    mode: Mode = "given"
    attempt: int = 1
    complaints: tuple[str, ...] = ()


class Teacher(Protocol):
    """Answers requests, in any order. A request that cannot be answered now is not yielded as an answer: it comes back
    with status `failed`, and is asked again by the next build."""

    name: str
    fingerprint: str  # changes whenever the same request might be answered otherwise: model, prompt, examples, settings
    remote: bool  # whether what it is asked leaves this machine
    asks: bool  # whether it may be asked without being told the label
    improves: bool  # whether asking again, with what was wrong, may give something else

    def takes(self, item: Item) -> bool:
        """Whether it can answer this item at all."""
        ...

    def answer(self, requests: Iterable[Request]) -> AsyncIterator[tuple[Request, Taught]]: ...
