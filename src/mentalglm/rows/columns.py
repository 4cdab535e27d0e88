"""Which column holds the post and which its id: by the flag, else by the names that such columns bear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import UserError

TEXT_NAMES = (
    *("text", "content", "post", "posts", "body", "comment", "tweet", "message", "weibo"),
    *("文本", "内容", "正文", "帖子", "微博正文", "微博内容", "帖子内容", "评论", "评论内容", "博文", "原文", "留言"),
)
ID_NAMES = ("id", "post_id", "postid", "mid", "weibo_id", "comment_id", "编号", "序号", "帖子id", "微博id", "评论id")


class Columns(NamedTuple):
    """Names as they stand in the file; `id` is None where rows are numbered instead."""

    text: str
    id: str | None


def find(names: Iterable[str], text: str | None, id_: str | None, where: str) -> Columns:
    """The columns among `names`. Raises UserError, which lists the names, if there is no column of posts."""
    names = list(dict.fromkeys(names))
    return Columns(_text(names, text, where), _id(names, id_, where))


def _text(names: Sequence[str], wanted: str | None, where: str) -> str:
    if wanted is not None:
        found = _named(names, wanted)
        if found is None:
            raise UserError(f"{where} has no column {wanted!r}; it has {listed(names)}", "name one with --text-column")
        return found
    for known in TEXT_NAMES:
        if (found := _named(names, known)) is not None:
            return found
    raise UserError(
        f"{where} has no column that is known to hold posts; it has {listed(names)}", "name it with --text-column"
    )


def _id(names: Sequence[str], wanted: str | None, where: str) -> str | None:
    if wanted is not None:
        found = _named(names, wanted)
        if found is None:
            raise UserError(f"{where} has no column {wanted!r}; it has {listed(names)}", "name one with --id-column")
        return found
    return next((found for known in ID_NAMES if (found := _named(names, known)) is not None), None)


def _named(names: Sequence[str], wanted: str) -> str | None:
    """The exact name first, then the same but for case and spaces around it."""
    if wanted in names:
        return wanted
    return next((name for name in names if name.strip().lower() == wanted.strip().lower()), None)


def listed(names: Sequence[str]) -> str:
    """The names for a message: at most twelve, cut to 24 characters (without a header they are posts)."""
    short = [name if len(name) <= 24 else name[:23] + "…" for name in map(str, names[:12])]
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return (", ".join(repr(name) for name in short) or "none") + more


def unique(names: Iterable[str]) -> list[str]:
    """Header cells as names: trimmed, blank ones numbered, repeated ones with a number behind."""
    out: list[str] = []
    for i, name in enumerate(names, 1):
        name = name.strip().lstrip("\ufeff") or f"column_{i}"
        base, n = name, 1
        while name in out:
            n += 1
            name = f"{base}_{n}"
        out.append(name)
    return out
