"""A request as it goes over the wire: its bytes, its size, and the key under which its answer is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mentalglm.build.item import Mode
from mentalglm.build.journal import Key
from mentalglm.build.teach import prompt
from mentalglm.build.teach.dialect import Dialect, bound
from mentalglm.build.teach.settings import RemoteSettings
from mentalglm.build.teach.teacher import Request
from mentalglm.runs import canonical
from mentalglm.tasks import task as tasks


@dataclass(frozen=True, slots=True)
class Question:
    """A request, the key of its answer, its messages as JSON without the brackets around them, and their characters."""

    request: Request
    key: Key
    messages: str
    characters: int

    def body(self, settings: RemoteSettings, dialect: Dialect) -> str:
        """The JSON that is sent. The messages come first: a prompt cache goes by the beginning."""
        further = json.dumps(
            dialect.further(settings, self.request.item.task, self.request.attempt), ensure_ascii=False
        )
        return f'{{"messages": [{self.messages}], {further[1:]}'


class Questions:
    """Makes questions. What is the same for all posts of a task in a mode is made once.

    guidelines: the codebook by task, as text. examples: by task, `{"text", "answer"}`.
    """

    def __init__(
        self,
        settings: RemoteSettings,
        guidelines: Mapping[str, str] | None = None,
        examples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        self._settings, self._guidelines, self._examples = settings, dict(guidelines or {}), dict(examples or {})
        self._prefixes: dict[tuple[str, Mode], tuple[str, int, str]] = {}
        asked = settings.model_dump(include={"model", "temperature", "seed", "max_tokens"})
        self.voice = _hash(
            canonical({**asked, "host": urlsplit(settings.base_url).hostname})
        )  # the answer's author: not how fast it is asked

    @property
    def fingerprint(self) -> str:
        """Changes whenever a request might be answered otherwise. (The journal goes by `voice` and the hash of each
        request, so that a word changed in one task's codebook does not ask the other tasks' questions anew.)"""
        prefixes = [self._prefix(name, mode)[2] for name in tasks.NAMES for mode in ("given", "hidden")]
        files = [prompt.words(name) for name in prompt.NAMES]
        return _hash(canonical([self.voice, prefixes, files, [bound(name) for name in tasks.NAMES]]))

    def of(self, request: Request) -> Question:
        """The question that puts `request`."""
        before, characters, digest = self._prefix(request.item.task, request.mode)
        last = prompt.turn(tasks.load(request.item.task), request)
        text = json.dumps(last, ensure_ascii=False)
        key = Key(self.voice, request.item.id, request.mode, request.attempt, _hash(f"{digest}\n{text}"))
        return Question(request, key, f"{before}, {text}", characters + len(last["content"]))

    def _prefix(self, name: str, mode: Mode) -> tuple[str, int, str]:
        if (name, mode) not in self._prefixes:
            task = tasks.load(name)
            shown = self._examples.get(name, ())[: self._settings.examples]
            messages = prompt.prefix(task, mode, self._guidelines.get(name, ""), shown)
            text = json.dumps(messages, ensure_ascii=False)[1:-1]
            self._prefixes[name, mode] = text, sum(len(m["content"]) for m in messages), _hash(text)
        return self._prefixes[name, mode]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
