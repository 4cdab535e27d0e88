"""The lexicon: what an explanation must not say, read from `lexicon.toml`, and how a pattern is tried on a text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mentalglm.tasks import all_tasks

_CLAUSE_END = re.compile(r"[，。；！？,;!?\n]|\.(?=\s)")
CONTEXT = 80  # characters before a match in which its clause may begin
_BRACKETS = re.compile(r"[（(][^（()）]{0,40}[)）]")
SAFETY = (
    "prompt_echo",
    "diagnosis",
    "medical_advice",
    "medication",
    "method_detail",
    "blame",
    "reassurance",
    "certainty",
)

# Said of a clause in which the words that follow do not count, whatever they are: that something is *not* claimed.
_DENIED = re.compile(
    r"不构成|不作(?:为)?|不是(?:对|一种)?|并非|并不|不代表|不等于|不意味|不能(?:说|算|由此|据此|作为|视为|证明)|未(?:见|写|提|说|谈|描述|涉及)"
    r"|没有(?:写|提|说|谈|看|读|出现|描述|涉及|给出|交代|任何|具体)|没(?:写|提|说)|不涉及|无关|缺乏|不足以|无法(?:判断|确定|断定|看出)|不作诊断"
    r"|(?i:\bno\b|\bnot\b|n't\b|without|neither|never)"
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One expression with its contexts, as the head of `lexicon.toml` says."""

    expression: re.Pattern[str]
    unless: re.Pattern[str] | None
    unless_post: re.Pattern[str] | None
    key_in_post: bool
    deniable: bool

    def search(self, text: str, post: str) -> Iterator[str]:
        """The words of `text` that count, `post` being what it speaks of."""
        for m in self.expression.finditer(text):
            words = m["key"] if "key" in self.expression.groupindex else m.group()
            start = max(0, m.start() - CONTEXT)
            start = max((c.end() for c in _CLAUSE_END.finditer(text, start, m.start())), default=start)
            if self.deniable and _DENIED.search(text, start, m.start()):
                continue
            if self.unless:
                after = _CLAUSE_END.search(text, m.end(), m.end() + CONTEXT)
                end = after.start() if after else m.end() + CONTEXT
                if self.unless.search(text, start, end):
                    continue
            if self.key_in_post and words.lower() in post.lower():
                continue
            if self.unless_post and self.unless_post.search(post):
                continue
            yield m.group()


@cache
def patterns(reason: str) -> tuple[Pattern, ...]:
    """The patterns of one table of the lexicon."""
    table = _data()[reason]
    out = [_pattern({"re": r}, table) for r in table.get("pattern", ())]
    for value in table.values():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            out += [_pattern(entry, table) for entry in value]
    return tuple(out)


@cache
def terms() -> frozenset[str]:
    """What may stand in quotation marks without being the post's words, lower case: names of tasks, labels and levels,
    label keys, and the list of the lexicon."""
    names: set[str] = set(_data()["words"]["terms"])
    for task in all_tasks():
        names |= {task.zh, task.en, task.name}
        for label in task.labels:
            names |= {label.zh, label.en, label.key}
        for gloss in (*task.levels, *task.expressions, *task.subjects):
            names |= {gloss.zh, gloss.en}
    return frozenset(n.lower() for n in names)


@cache
def names() -> re.Pattern[str]:
    """An expression for every name of a label, a level or a term, the longest first, and the keys."""
    known = sorted((t for t in terms() if len(t) > 1), key=lambda t: (-len(t), t))
    return re.compile(
        "|".join(rf"(?<![a-z_]){re.escape(t)}(?![a-z_])" if t.isascii() else re.escape(t) for t in known), re.I
    )


@cache
def boilerplate() -> re.Pattern[str]:
    """What fits any post, the longest first."""
    known = sorted(set(_data()["words"]["boilerplate"]), key=lambda t: (-len(t), t))
    return re.compile("|".join(map(re.escape, known)))


def is_term(passage: str) -> bool:
    """Whether a passage is a name, or several joined, with or without an addition in brackets."""
    passage = _BRACKETS.sub("", passage)
    parts = [p.strip().lower() for p in re.split(r"[、，,/和与及]|\band\b", passage)]
    whole = passage.strip().lower()
    return whole in terms() or (bool(parts) and all(p in terms() for p in parts))


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))


def _pattern(entry: dict[str, Any], table: dict[str, Any]) -> Pattern:
    def compiled(key: str) -> re.Pattern[str] | None:
        found = entry.get(key, table.get(key))
        return re.compile(found) if found else None

    return Pattern(
        re.compile(entry["re"]),
        compiled("unless"),
        compiled("unless_post"),
        bool(entry.get("key_in_post", table.get("key_in_post", False))),
        bool(entry.get("deniable", table.get("deniable", True))),
    )
