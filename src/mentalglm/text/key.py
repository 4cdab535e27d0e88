"""The content key: one hash for all copies of a post, whatever its spacing, punctuation, width or case."""

from __future__ import annotations

import hashlib
import unicodedata

# Above this length a text is normalised in pieces: NFKC over a very long run of combining marks takes quadratic time.
_PIECE = 4096


def content_key(text: str) -> str:
    """NFKC, lower case, letters and digits only; the first 32 hex digits of the SHA-256 of its UTF-8.

    If nothing is left (emoji, punctuation), the hash is that of the raw text. Lone surrogates never matter to the
    former, and are hashed as their three-byte form in the latter.
    """
    raw = letters(text)
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def letters(text: str) -> str:
    """The letters and digits of `text`, NFKC and lower case; the raw text where there are none."""
    return "".join(ch for ch in _nfkc(text).lower() if ch.isalnum()) or text


def _nfkc(text: str) -> str:
    if len(text) <= _PIECE or text.isascii():
        return unicodedata.normalize("NFKC", text)
    out: list[str] = []
    at = 0
    while at < len(text):
        end = at + _PIECE
        # A piece ends before a letter that cannot combine with what precedes it, so that pieces add up to the whole.
        limit = min(len(text), end + 64)
        while end < limit and not _starts(text[end]):
            end += 1
        out.append(unicodedata.normalize("NFKC", text[at:end]))
        at = end
    return "".join(out)


def _starts(ch: str) -> bool:
    first = unicodedata.normalize("NFKD", ch)[0]
    return unicodedata.category(first)[0] != "M" and not 0x1160 <= ord(first) <= 0x11FF
