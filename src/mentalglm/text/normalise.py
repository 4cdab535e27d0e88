"""Normalisation with an offset map: every code point of the clean text knows the span of the given text it came from.

NFKC is applied cluster by cluster (a base character with the marks that can combine with it), because only then does
each output character have an origin. The result equals NFKC of the whole except inside absurdly long runs of marks.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# Longest cluster, as in Unicode's stream-safe text format: normalising an unbounded run of marks takes quadratic time.
MAX_CLUSTER = 32

# Words that some tokenizer or chat template treats as control tokens. A post is data: their brackets are exchanged for
# look-alikes, one character for one, so that they stay readable and never become the token.
_CONTROL_TOKEN = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|\[/?g?s?(?:MASK|INST|CLS|SEP|PAD|UNK)\]|</?(?:s|sop|eop|bos|eos|pad|unk|mask|cls|sep)>"
    r"|<<?/?SYS>?>|<(?:start|end)_of_turn>|<\uff5c[^<>\s]{1,40}\uff5c>",
    re.IGNORECASE,
)
_LOOKALIKE = str.maketrans("<>[]", "〈〉〔〕")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """`text`, and for each of its code points the span `[starts[i], ends[i])` of the given text that it came from.

    Both lists have `len(text)` entries and never decrease; characters that were removed belong to no span.
    """

    text: str
    starts: list[int]
    ends: list[int]


def clean(text: str, *, mask: bool = True) -> Cleaned:
    """The model's input for `text`: NFKC, no invisible characters, single spaces, simplified, personal data masked.

    Removed are lone surrogates and control, bidirectional, zero-width and tag characters; runs of white space (line
    breaks too) become one space, none at either end. With `mask`, each personal datum becomes one placeholder such as
    `[电话]`, all of whose characters map to the whole datum.
    """
    out = _normalise(text)
    chars = _simplify(out.text)
    chars = _CONTROL_TOKEN.sub(lambda m: m.group().translate(_LOOKALIKE), chars)
    out = Cleaned(chars, out.starts, out.ends)
    return _mask(out) if mask else out


def to_original(c: Cleaned, start: int, end: int) -> tuple[int, int]:
    """The span of the given text behind `c.text[start:end]`, as the smallest one that covers all of its characters."""
    start, end = max(0, start), min(end, len(c.text))
    if start >= end:
        at = c.starts[start] if start < len(c.starts) else (c.ends[-1] if c.ends else 0)
        return at, at
    return c.starts[start], c.ends[end - 1]


def _mask(c: Cleaned) -> Cleaned:
    from .mask import find

    chars: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for kind, a, b in find(c.text):
        chars.append(c.text[at:a])
        starts += c.starts[at:a]
        ends += c.ends[at:a]
        first, last = to_original(c, a, b)
        chars.append(kind)
        starts += [first] * len(kind)
        ends += [last] * len(kind)
        at = b
    if not at:
        return c
    return Cleaned("".join(chars) + c.text[at:], starts + c.starts[at:], ends + c.ends[at:])


def _normalise(text: str) -> Cleaned:
    chars: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    n, i = len(text), 0
    while i < n:
        ch = text[i]
        j = i + 1
        if not (ch.isascii() and (j >= n or text[j].isascii())):
            while j < n and j - i < MAX_CLUSTER and _extends(text[j]):
                j += 1
        folded = _fold(ch) if j == i + 1 else _fold_cluster(text[i:j])
        for piece in folded:
            if piece == " ":
                if not chars:
                    continue
                if chars[-1] == " ":
                    ends[-1] = j
                    continue
            chars.append(piece)
            starts.append(i)
            ends.append(j)
        i = j
    if chars and chars[-1] == " ":
        del chars[-1], starts[-1], ends[-1]
    return Cleaned("".join(chars), starts, ends)


@lru_cache(maxsize=8192)
def _fold(ch: str) -> str:
    return _fold_cluster(ch)


def _fold_cluster(cluster: str) -> str:
    kept = "".join(ch for ch in cluster if ch.isspace() or not _invisible(ch))
    folded = unicodedata.normalize("NFKC", kept)
    return "".join(" " if ch.isspace() else ch for ch in folded if ch.isspace() or not _invisible(ch))


@lru_cache(maxsize=8192)
def _invisible(ch: str) -> bool:
    # Cc control, Cf format (bidi, zero-width, soft hyphen, tags), Cs surrogates; and the marks and fillers that show
    # nothing: variation selectors, the grapheme joiner, Hangul and Khmer fillers.
    if unicodedata.category(ch) in ("Cc", "Cf", "Cs"):
        return True
    code = ord(ch)
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or ch in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"


@lru_cache(maxsize=8192)
def _extends(ch: str) -> bool:
    """Whether `ch` may combine with, or be reordered against, the character before it."""
    if ch < "\u0300":
        return False
    first = unicodedata.normalize("NFKD", ch)[0]
    return unicodedata.category(first)[0] == "M" or 0x1160 <= ord(first) <= 0x11FF


# Forms that OpenCC's t2s leaves alone, but that no simplified text uses: 妳, and 著 as the particle 着.
_EXTRA = str.maketrans("妳祂", "你他")
_PARTICLE = re.compile(r"(?<![名显土专原论编卓合巨])著(?![名作者称述])")


def _simplify(text: str) -> str:
    if text.isascii() or not any(_traditional(ch) for ch in text):
        return text
    converter = _converter()
    simple: str = converter.convert(text)
    if len(simple) != len(text):
        simple = "".join(one if len(one := converter.convert(ch)) == 1 else ch for ch in text)
    return _PARTICLE.sub("着", simple.translate(_EXTRA))


@lru_cache(maxsize=8192)
def _traditional(ch: str) -> bool:
    """A Chinese character outside GB 2312, which holds every character of ordinary simplified text."""
    if not ("\u3400" <= ch <= "\u9fff" or "\U00020000" <= ch <= "\U0003ffff"):
        return False
    try:
        ch.encode("gb2312")
    except UnicodeEncodeError:
        return True
    return False


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc  # loads a dictionary of about 2 MB: only for texts that need it

    return opencc.OpenCC("t2s")
