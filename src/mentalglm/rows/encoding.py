"""Which encoding a file is in, and its lines as text, with those that do not fit told from the others.

A byte order mark decides; else strict UTF-8; else GB18030 where it reads as Chinese. A file may be mixed: each line is
tried by itself, and one that fits neither is a bad row, not the end of the run.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..errors import UserError

SAMPLE = 1 << 20  # bytes that the first decision is taken on
MAX_LINE = 32 << 20  # bytes; a line beyond it is cut there, and is no post

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Line(NamedTuple):
    """A line with its end, its number from 1, and why it is no text (None if it is).

    A bad line is decoded with each foreign byte as a lone surrogate (U+DC80–DCFF), so that a table can still be parsed.
    """

    text: str
    number: int
    problem: str | None = None


def lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    """The lines of a binary stream; `name` is what messages call it.

    Raises UserError at once if the beginning is in no encoding that we know; it names the byte.
    """
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream, SAMPLE)  # type: ignore[type-var]
    sample = _peek(buffered)
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            buffered.read(len(mark))
            if encoding in ("utf-8", "gb18030"):
                return _byte_lines(buffered, encoding, decided=True, skipped=len(mark))
            return _wide_lines(buffered, encoding, name)
    return _byte_lines(buffered, *_decide(sample, name), skipped=0)


def _peek(stream: io.BufferedReader) -> bytes:
    """The first bytes without taking them. A pipe may give few at first: then the choice is taken again on failure."""
    return stream.peek(SAMPLE)[:SAMPLE]


def _decide(sample: bytes, name: str) -> tuple[str, bool]:
    """The encoding of most lines of the sample, and whether any line there could decide it."""
    if sample[:4096].count(0) > len(sample[:4096]) // 8:
        raise UserError(
            f"{name} is not text: byte {sample.index(0)} is a zero",
            f"if it is UTF-16 without a mark, convert it: iconv -f {_wide(sample)} -t UTF-8 FILE > NEW",
        )
    votes = {"utf-8": 0, "gb18030": 0, None: 0}
    *rows, last = sample.split(b"\n")
    for row in rows or [_whole(last)]:  # the last line may be cut
        if not row.isascii():
            votes[_encoding(row)] += 1
    if not any(votes.values()):
        return "utf-8", False
    if not votes["utf-8"] and not votes["gb18030"]:
        raise UserError(
            f"{name} is neither UTF-8 nor GB18030 (byte {_first_bad(sample)})",
            f"convert it: iconv -f {_guess(sample)} -t UTF-8 FILE > NEW",
        )
    return ("utf-8" if votes["utf-8"] >= votes["gb18030"] else "gb18030"), True


def _whole(cut: bytes) -> bytes:
    """A piece of text without the character that its end cuts through: at most three bytes of UTF-8 or GB18030."""
    return next((cut[: len(cut) - n] for n in range(4) if _encoding(cut[: len(cut) - n])), cut)


def _encoding(row: bytes) -> str | None:
    for encoding in ("utf-8", "gb18030"):
        if _fits(row, encoding) is not None:
            return encoding
    return None


def _fits(row: bytes, encoding: str) -> str | None:
    try:
        text = row.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if encoding == "utf-8" or _reads_as_chinese(text) else None


def _reads_as_chinese(text: str) -> bool:
    """Nearly any bytes are GB18030. What was meant so has common characters; what was not has rare ones."""
    wide = [ch for ch in text if ch > "\x7f"]
    return sum(_is_common(ch) for ch in wide) >= 0.6 * len(wide)


def _is_common(ch: str) -> bool:
    # Level 1 of GB 2312 (the 3,755 commonest characters) and its punctuation; emoji, which only GB18030 can hold.
    if ch >= "\U0001f000":
        return True
    try:
        return ch.encode("gb2312")[0] in range(0xB0, 0xD8) or ch.encode("gb2312")[0] in (0xA1, 0xA3)
    except UnicodeEncodeError:
        return False


def _first_bad(sample: bytes) -> int:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _guess(sample: bytes) -> str:
    """A likely encoding for the message: UTF-16 or Big5 where the sample is that, else a word to be replaced."""
    for wide in ("UTF-16LE", "UTF-16BE"):
        text = sample[: 1 << 12].decode(wide, "ignore")
        if any(ch > "\x7f" for ch in text) and _reads_as_chinese(text):
            return wide
    whole = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        whole.decode("big5")
    except UnicodeDecodeError:
        return "ITS-ENCODING"
    return "BIG5"


def _wide(sample: bytes) -> str:
    """Which UTF-16 has its zeros (of ASCII) where the sample has them."""
    return "UTF-16BE" if sample[:4096:2].count(0) > sample[1:4096:2].count(0) else "UTF-16LE"


def _byte_lines(stream: io.BufferedReader, encoding: str, decided: bool, *, skipped: int) -> Iterator[Line]:
    """Lines of an encoding whose line feed is one byte and nothing else."""
    at, number = skipped, 0
    while raw := stream.readline(MAX_LINE):
        number += 1
        start, at = at, at + len(raw)
        if len(raw) >= MAX_LINE and not raw.endswith(b"\n"):
            at += _skip_line(stream)
            yield Line("", number, f"line {number} is longer than {MAX_LINE >> 20} MB")
            continue
        if raw.isascii():
            yield Line(raw.decode("ascii"), number)
            continue
        other = "gb18030" if encoding == "utf-8" else "utf-8"
        text = _decode(raw, encoding)
        if text is None and (text := _fits(raw, other)) is not None and not decided:
            encoding = other
        decided = True
        if text is not None:
            yield Line(text, number)
        else:
            bad = start + _first_bad(raw)
            problem = f"line {number} is not text in UTF-8 or GB18030 (byte {bad} of the file)"
            yield Line(raw.decode("utf-8", "surrogateescape"), number, problem)


def _decode(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _skip_line(stream: io.BufferedReader) -> int:
    skipped = 0
    while raw := stream.readline(MAX_LINE):
        skipped += len(raw)
        if raw.endswith(b"\n"):
            break
    return skipped


def _wide_lines(stream: io.BufferedReader, encoding: str, name: str) -> Iterator[Line]:
    """Lines of UTF-16 or UTF-32, whose line feed is several bytes."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    number, rest = 0, ""
    try:
        while block := stream.read(1 << 16):
            *whole, rest = (rest + decoder.decode(block)).split("\n")
            for line in whole:
                number += 1
                yield Line(line + "\n", number)
        if rest := rest + decoder.decode(b"", final=True):
            yield Line(rest, number + 1)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not {encoding.upper()} after line {number} ({error.reason})", "convert it to UTF-8"
        ) from error
