"""What a server takes of a request. It is found out by asking, and remembered for the run."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from mentalglm.build.teach.settings import RemoteSettings
from mentalglm.tasks import answer as answers
from mentalglm.tasks import task as tasks

# Older servers know max_tokens, OpenAI's newer models only the other.
_LIMITS: tuple[str, ...] = ("max_tokens", "max_completion_tokens", "")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How much of a request a server takes: the answer bound to a schema, to JSON, or not at all; and so on."""

    format: Literal["json_schema", "json_object", "none"] = "json_schema"
    limit: str = "max_tokens"
    temperature: bool = True
    seed: bool = True

    def without(self, said: str) -> Dialect | None:
        """The next dialect to try when a server turned this one away with the words `said`; None where they say
        nothing of it."""
        said = said.lower()
        if ("max_completion_tokens" in said or "max_tokens" in said) and self.limit:
            return replace(self, limit=_LIMITS[_LIMITS.index(self.limit) + 1])
        if self.temperature and "temperature" in said:
            return replace(self, temperature=False)
        if self.seed and "seed" in said:
            return replace(self, seed=False)
        about = ("response_format", "json_schema", "schema", "json_object", "guided", "structured", "grammar")
        if any(word in said for word in about):
            if self.format == "json_schema":
                return replace(self, format="json_object")
            if self.format == "json_object":
                return replace(self, format="none")
        return None

    def further(self, settings: RemoteSettings, task: str, attempt: int) -> dict[str, Any]:
        """The parts of a request beside its messages. A repeated question has another seed, else its answer is the
        same again."""
        out: dict[str, Any] = {"model": settings.model}
        if self.temperature and settings.temperature is not None:
            out["temperature"] = settings.temperature
        if self.seed and settings.seed is not None:
            out["seed"] = settings.seed + attempt - 1
        if self.limit:
            out[self.limit] = settings.max_tokens
        if self.format == "json_schema":
            out["response_format"] = bound(task)
        elif self.format == "json_object":
            out["response_format"] = {"type": "json_object"}
        return out


@cache
def bound(task: str) -> dict[str, Any]:
    """The task's schema as `response_format`. It is the same for every post, so that the server caches it; the gold is
    not in it. `minLength` is left out: OpenAI's strict mode does not know it."""
    schema = copy.deepcopy(answers.schema(tasks.load(task), summary=True))
    _drop(schema, "minLength")
    return {"type": "json_schema", "json_schema": {"name": task, "strict": True, "schema": schema}}


def _drop(value: Any, key: str) -> None:
    if isinstance(value, dict):
        value.pop(key, None)
        for inner in value.values():
            _drop(inner, key)
    elif isinstance(value, list):
        for inner in value:
            _drop(inner, key)
