"""Text to tokens such that only a template writes special ones: markers in a post are letters, at the token level too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from .template import Template


class Example(NamedTuple):
    """An exchange in tokens. `ids[answer:]` are the answer and its stop: what the loss is taken on."""

    ids: list[int]
    answer: int


@dataclass(frozen=True)
class Encoder:
    """A tokenizer and a template. `prompt` gives the very ids that a model is asked with, in training and after."""

    tokenizer: Any
    template: Template

    @cached_property
    def added(self) -> dict[str, int]:
        """Tokens that stand outside the tokenizer's alphabet: role markers and the like."""
        return {t: i for t, i in self.tokenizer.get_added_vocab().items() if t}

    @cached_property
    def _marker(self) -> re.Pattern[str]:
        longest = sorted(self.added, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest)) or r"(?!)")

    @property
    def stop(self) -> int:
        """The id that ends an answer."""
        return self.added[self.template.stop]

    def plain(self, text: str) -> list[int]:
        """The ids of `text` as mere text: what looks like a special token is cut after its first character, so that none
        of the added ids comes out. Its decoding is `text` again, in a byte-level tokenizer."""
        pieces: list[str] = []
        start = at = 0
        while found := self._marker.search(text, at):
            cut = found.start() + 1
            pieces.append(text[start:cut])
            start = at = cut
        pieces.append(text[start:])
        special = set(self.added.values())
        ids = [i for piece in pieces if piece for i in self._encode(piece)]
        if special & set(ids):  # a token of one character, or one that matches normalised text
            ids = [i for character in text for i in self._encode(character) if i not in special]
        return ids

    def prompt(self, user: str) -> list[int]:
        """The ids of everything before the answer."""
        t = self.template
        parts: list[str | int] = [
            *self._template(t.opening + t.user),
            user,
            *self._template(t.close_user + t.assistant),
        ]
        return self._joined(parts)

    def example(self, user: str, answer: str) -> Example:
        """Prompt, answer and stop."""
        prompt = self.prompt(user)
        return Example([*prompt, *self.plain(answer), self.stop], len(prompt))

    def answer(self, ids: Sequence[int]) -> str:
        """The text of generated ids, up to the stop."""
        kept = list(ids)
        ends = [kept.index(i) for i in self.ends if i in kept]
        return self.tokenizer.decode(kept[: min(ends)] if ends else kept, skip_special_tokens=True)

    @cached_property
    def ends(self) -> list[int]:
        """Every id at which generation stops: the template's stop, and the end of the text."""
        known = [
            self.stop,
            self.tokenizer.eos_token_id,
            *(self.added.get(t) for t in ("<|endoftext|>", "<|observation|>")),
        ]
        return list(dict.fromkeys(i for i in known if isinstance(i, int)))

    def _template(self, text: str) -> list[str | int]:
        """A piece of the template: special tokens as their ids, what stands between as text."""
        out: list[str | int] = []
        at = 0
        for found in self._marker.finditer(text):
            out += [text[at : found.start()], self.added[found[0]]]
            at = found.end()
        return [part for part in (*out, text[at:]) if part != ""]

    def _joined(self, parts: Sequence[str | int]) -> list[int]:
        """Ids of parts; texts that touch are one text, as a tokenizer would see them."""
        ids: list[int] = []
        text = ""
        for part in (*parts, -1):
            if isinstance(part, str):
                text += part
                continue
            if text:
                ids += self.plain(text)
                text = ""
            ids += [part] if part >= 0 else []
        return ids

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)
