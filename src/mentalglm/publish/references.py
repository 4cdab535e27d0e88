"""A text about a post without the words of the post: each passage that is the post's own becomes a reference into it.

`⟦12:20⟧` stands for `post[12:20]` (code points), `⟦⟧` for the bracket `⟦` itself, so that any text can be coded and
decoded exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

RUN = 6  # from so many characters in a row on, a passage that stands in the post is taken to be the post's

_REFERENCE = re.compile(r"⟦(?:(\d+):(\d+))?⟧")
_QUOTED = re.compile(r"“([^“”]+)”|‘([^‘’]+)’|「([^「」]+)」|『([^『』]+)』|\"([^\"]+)\"")


class Post:
    """A post, indexed for finding what a text has of it. `run`: `RUN`, or the whole post where that is shorter."""

    __slots__ = ("_at", "run", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.run = max(1, min(RUN, len(text)))
        self._at: dict[str, int] = {}
        for at in range(len(text) - self.run + 1):
            self._at.setdefault(text[at : at + self.run], at)

    def find(self, text: str, at: int, end: int) -> tuple[int, int] | None:
        """The span of the post that begins `text[at:end]`, as long as it goes; None where fewer than `run` agree."""
        start = self._at.get(text[at : at + self.run]) if at + self.run <= end else None
        if start is None:
            return None
        length = self.run
        while at + length < end and start + length < len(self.text) and text[at + length] == self.text[start + length]:
            length += 1
        return start, start + length


def encode(text: str, post: Post) -> str:
    """`text` with a reference for every quoted passage that the post has, however short, and for every other run of the
    post's characters that is `post.run` long or longer."""
    out: list[str] = []
    at = 0
    for quoted in _QUOTED.finditer(text):
        group = next(i for i, passage in enumerate(quoted.groups(), 1) if passage is not None)
        start = post.text.find(quoted.group(group))
        if start >= 0:
            first, last = quoted.span(group)
            out.append(_runs(text, at, first, post))
            out.append(f"⟦{start}:{start + last - first}⟧")
            at = last
    out.append(_runs(text, at, len(text), post))
    return "".join(out)


def _runs(text: str, at: int, end: int, post: Post) -> str:
    out: list[str] = []
    while at < end:
        span = post.find(text, at, end)
        if span is None:
            out.append("⟦⟧" if text[at] == "⟦" else text[at])
            at += 1
        else:
            out.append(f"⟦{span[0]}:{span[1]}⟧")
            at += span[1] - span[0]
    return "".join(out)


def decode(coded: str, post: str) -> str:
    """What `encode` was given. Raises ValueError where a reference points outside the post."""

    def passage(reference: re.Match[str]) -> str:
        if reference[1] is None:
            return "⟦"
        start, end = int(reference[1]), int(reference[2])
        if not start < end <= len(post):
            raise ValueError("a reference points outside the post")
        return post[start:end]

    return _REFERENCE.sub(passage, coded)


def literals(coded: str) -> Iterator[str]:
    """The stretches of a coded text between its references: what is left of it to read."""
    at = 0
    kept = ""
    for reference in _REFERENCE.finditer(coded):
        kept += coded[at : reference.start()]
        at = reference.end()
        if reference[1] is None:
            kept += "⟦"
        else:
            yield kept
            kept = ""
    yield kept + coded[at:]


def leaks(coded: str, post: Post) -> bool:
    """Whether a run of the post's characters stands in what is left to read of `coded`."""
    return any(post.find(part, at, len(part)) for part in literals(coded) for at in range(len(part)))
