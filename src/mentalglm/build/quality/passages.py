"""Passages in quotation marks, and whether they stand in the post.

A passage is what stands between the outermost pair of “ ”, ‘ ’, 「 」, 『 』 or straight double marks; marks inside it
belong to it. It is compared with the post after changes that leave no word another: what cannot be seen is taken out,
all quotation marks are one (inner “ ” becomes ‘ ’ inside “ ”), role tokens are inert, white space is as `whitespace`
says, and punctuation at the passage's own edges does not count. Nothing else is forgiven: simplified for traditional, a
comma for a space, a word more or less, all make it another text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal, NamedTuple

_CLOSE = {"“": "”", "‘": "’", "「": "」", "『": "』", "〝": "〞"}
_OPEN = {close: opened for opened, close in _CLOSE.items()}
_STRAIGHT = '"＂'
# All quotation marks are one; and `tasks.answer.inert` writes ＜ and ［ where a post could speak as a role.
_SAME = str.maketrans({**dict.fromkeys("“”‘’「」『』〝〞＂'", '"'), "＜": "<", "［": "["})
_ANY = re.compile(f"[{''.join((*_CLOSE, *_OPEN, _STRAIGHT))}]")
_ELISION = re.compile(r"…+|\.{3,}|。{3,}")
MIN_PART = 2  # characters that each side of an elision must have

Whitespace = Literal["exact", "spaces", "ignore"]


class Passage(NamedTuple):
    """`text[start:end]` is what stands between the marks; `mark` is the opening one."""

    text: str
    start: int
    end: int
    mark: str


class Passages(NamedTuple):
    """What `find` found, and how many opening or straight marks have no partner."""

    passages: tuple[Passage, ...]
    unpaired: int


@lru_cache(maxsize=8)  # several checks ask for the same text
def find(text: str) -> Passages:
    """The outermost passages of `text`, in order, in linear time."""
    opened: list[int] = []
    waiting = dict.fromkeys(_CLOSE, 0)
    pairs: list[tuple[int, int]] = []
    straight = -1
    for m in _ANY.finditer(text):
        i, ch = m.start(), m.group()
        if ch in _CLOSE:
            opened.append(i)
            waiting[ch] += 1
        elif ch in _OPEN and waiting[_OPEN[ch]]:
            while True:  # marks opened in between and never closed are passed over
                at = opened.pop()
                waiting[text[at]] -= 1
                if text[at] == _OPEN[ch]:
                    break
            pairs.append((at, i))
        elif ch in _STRAIGHT:
            if straight < 0:
                straight = i
            else:
                pairs.append((straight, i))
                straight = -1
    pairs.sort(key=lambda p: (p[0], -p[1]))
    out: list[Passage] = []
    last = -1
    for a, b in pairs:
        if a > last:
            out.append(Passage(text[a + 1 : b], a + 1, b, text[a]))
            last = b
    inside = 2 * len(pairs)
    marks = sum(text.count(ch) for ch in (*"“「『〝", *_STRAIGHT)) + sum(text.count(ch) for ch in "”」』〞")
    singles = sum(2 for a, _ in pairs if text[a] == "‘")  # a lone ’ is an apostrophe
    return Passages(tuple(out), marks - (inside - singles))


def outside(text: str, passages: tuple[Passage, ...], put: str = "“”") -> str:
    """`text` with every passage and its marks replaced by `put`."""
    parts: list[str] = []
    at = 0
    for p in passages:
        parts += [text[at : p.start - 1], put]
        at = p.end + 1
    return "".join([*parts, text[at:]])


def verbatim(passage: str, post: str, whitespace: Whitespace = "spaces", elision: bool = True) -> bool:
    """Whether `passage` is the post's own words, as the module says. One without a letter or digit is compared whole."""
    whole = _plain(post, whitespace)
    mine = _plain(passage, whitespace)
    if mine in whole or _trim(mine) in whole:
        return True
    if not elision:
        return False
    parts = [_trim(p) for p in _ELISION.split(mine)]
    parts = [p for p in parts if p]
    if len(parts) < 2 or any(len(p) < MIN_PART for p in parts):
        return False
    at = 0
    for part in parts:
        at = whole.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


@lru_cache(maxsize=64)  # a post is asked for by each of its passages
def _plain(text: str, whitespace: Whitespace) -> str:
    if not text.isprintable():
        text = "".join(ch for ch in text if ch.isspace() or unicodedata.category(ch) not in ("Cc", "Cf", "Cs"))
    text = text.translate(_SAME)
    if whitespace == "exact":
        return text
    return (" " if whitespace == "spaces" else "").join(text.split())


def _trim(text: str) -> str:
    """`text` without punctuation and white space at its ends; as it is if nothing else is in it."""
    a, b = 0, len(text)
    while a < b and _edge(text[a]):
        a += 1
    while b > a and _edge(text[b - 1]):
        b -= 1
    return text[a:b] or text


def _edge(ch: str) -> bool:
    return ch.isspace() or ch in "~～" or unicodedata.category(ch)[0] == "P"
