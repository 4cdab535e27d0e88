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
from mentalglm.tasks import task as tasks


@dataclass(frozen=True, slots=True)
class Question:
    """A request, the key of its answer, and its messages in JSON: those before the post (shared by all questions of a
    task in a mode, and encoded once), and the turn with the post. `characters`: of all messages."""

    request: Request
    key: Key
    before: bytes
    last: bytes
    characters: int

    def body(self, settings: RemoteSettings, dialect: Dialect) -> bytes:
        """The JSON that is sent. The messages come first: a prompt cache goes by the beginning."""
        further = dialect.further(settings, self.request.item.task, self.request.attempt)
        return b'{"messages": [%b, %b], %b' % (self.before, self.last, _json(further)[1:])


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
        self._prefixes: dict[tuple[str, Mode], tuple[bytes, int, str]] = {}
        asked = settings.model_dump(include={"model", "temperature", "seed", "max_tokens"})
        host = urlsplit(settings.base_url).hostname
        self.voice = _hash(_json({**asked, "host": host}))  # whose answers they are, not how fast they are asked for

    @property
    def fingerprint(self) -> str:
        """Changes whenever a request might be answered otherwise. (The journal goes by `voice` and the hash of each
        request, so that a word changed in one task's codebook does not ask the other tasks' questions anew.)"""
        prefixes = [self._prefix(name, mode)[2] for name in tasks.NAMES for mode in ("given", "hidden")]
        files = [prompt.words(name) for name in prompt.NAMES]
        return _hash(_json([self.voice, prefixes, files, [bound(name) for name in tasks.NAMES]]))

    def of(self, request: Request) -> Question:
        """The question that puts `request`."""
        before, characters, digest = self._prefix(request.item.task, request.mode)
        turn = prompt.turn(tasks.load(request.item.task), request)
        last = _json(turn)
        key = Key(self.voice, request.item.id, request.mode, request.attempt, _hash(digest.encode() + last))
        return Question(request, key, before, last, characters + len(turn["content"]))

    def _prefix(self, name: str, mode: Mode) -> tuple[bytes, int, str]:
        if (name, mode) not in self._prefixes:
            task = tasks.load(name)
            shown = self._examples.get(name, ())[: self._settings.examples]
            messages = prompt.prefix(task, mode, self._guidelines.get(name, ""), shown)
            data = _json(messages)[1:-1]
            self._prefixes[name, mode] = data, sum(len(m["content"]) for m in messages), _hash(data)
        return self._prefixes[name, mode]


def _json(value: Any) -> bytes:
    """A lone surrogate, which no server takes, becomes a question mark: one character for one."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
