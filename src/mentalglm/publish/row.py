"""A row without its post, and back. What is taken out: the text, the quotes, the messages, and every passage of the post
in what was written about it. Who holds the post gets the row back byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from mentalglm.build.export.fields import Field
from mentalglm.build.export.rows import FIELDS, messages_of

from .references import Post, decode, encode, leaks

# Fields in words, in which the post could speak. The others are keys, numbers, ids and names from closed sets.
CODED = ("explanation", "disagrees")


def _fields() -> dict[str, Field]:
    out: dict[str, Field] = {}
    for name, field in FIELDS.items():
        if name == "text":
            out["text_sha256"] = Field(
                "str", "SHA-256 of the post's UTF-8, to know it by", "帖子 UTF-8 编码的 SHA-256，用于核对"
            )
            out["text_length"] = Field("int", "code points of the post", "帖子的码位数")
        elif name == "evidence":
            parts = {key: part for key, part in (field.parts or {}).items() if key != "quote"}
            out[name] = Field(
                "objects", "spans of the post, each with its label", "引文位置，各带一个标签", parts=parts
            )
        elif name == "messages":
            out[name] = Field(
                "objects",
                "null where they follow from the row, else coded",
                "可由本行推出时为 null，否则为编码后的内容",
                null=True,
                parts=field.parts,
            )
        else:
            out[name] = field
    return out  # fmt: skip


STRIPPED = _fields()


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def strip(row: dict[str, Any], turns: bool = False) -> dict[str, Any]:
    """`row` (of `FIELDS`) as one of `STRIPPED`. turns: code the messages even where they follow from the row."""
    post = Post(row["text"])
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name == "text":
            out |= {"text_sha256": text_hash(value), "text_length": len(value)}
        elif name == "evidence":
            out[name] = [{k: v for k, v in quote.items() if k != "quote"} for quote in value]
        elif name == "messages":
            out[name] = (
                None if not turns and _derived(row) else _each(value, lambda text: encode(text, post), "content")
            )
        elif name == "summary":
            out[name] = value and {k: None if v is None else encode(v, post) for k, v in value.items()}
        elif name in CODED:
            out[name] = encode(value, post)
        else:
            out[name] = value
    return out


def restore(row: dict[str, Any], text: str) -> dict[str, Any]:
    """The row that `strip` was given, from the stripped one and its post. ValueError where `text` is another post."""
    if text_hash(text) != row["text_sha256"]:
        raise ValueError("this is not the post of the row")
    out: dict[str, Any] = {}
    for name in FIELDS:
        if name == "text":
            out[name] = text
        elif name == "evidence":
            out[name] = [q | {"quote": text[q["start"] : q["end"]]} for q in row[name]]
        elif name == "messages":
            out[name] = row[name] and _each(row[name], lambda coded: decode(coded, text), "content")
        elif name == "summary":
            out[name] = row[name] and {k: None if v is None else decode(v, text) for k, v in row[name].items()}
        elif name in CODED:
            out[name] = decode(row[name], text)
        else:
            out[name] = row[name]
    if out["messages"] is None:
        out["messages"] = messages_of(out)
    return out


def leak(row: dict[str, Any], text: str) -> str:
    """The field of a stripped row in which a passage of the post still stands; empty if there is none."""
    post = Post(text)
    spoken = {name: [row[name]] for name in CODED}
    spoken["summary"] = [v for v in (row["summary"] or {}).values() if v is not None]
    spoken["messages"] = [m["content"] for m in row["messages"] or []]
    return next((name for name, texts in spoken.items() if any(leaks(coded, post) for coded in texts)), "")


def _derived(row: dict[str, Any]) -> bool:
    return messages_of(row | {"messages": None}) == row["messages"]


def _each(turns: list[dict[str, str]], change: Callable[[str], str], key: str) -> list[dict[str, str]]:
    return [turn | {key: change(turn[key])} for turn in turns]
