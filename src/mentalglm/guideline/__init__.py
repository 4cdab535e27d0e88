"""The codebook: what every label takes in and leaves out, which of two holds, and pairs at the border.

One Markdown file a task and language, for people to read; teachers' prompts, the review desk and cards are made from it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

Lang = Literal["zh", "en"]

HEADINGS = {
    "zh": ("定义", "纳入", "排除", "优先", "边界"),
    "en": ("Definition", "Include", "Exclude", "Precedence", "Borderline"),
}
_PAIR = {
    "zh": re.compile(r"是：(?P<yes>.+?) ｜ 否：(?P<no>.+?) ｜ 因为：(?P<why>.+)"),
    "en": re.compile(r"Yes: (?P<yes>.+?) \| No: (?P<no>.+?) \| Because: (?P<why>.+)"),
}


class Pair(NamedTuple):
    """Two invented posts near each other: the first carries the label, the second does not, and why."""

    yes: str
    no: str
    why: str


class Section(NamedTuple):
    """What the codebook says of one label; `key` is the label's, or `expression.wish` and the like."""

    key: str
    name: str
    definition: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    precedence: tuple[str, ...]
    pairs: tuple[Pair, ...]


class Guideline(NamedTuple):
    task: str
    version: str
    general: tuple[str, ...]
    sections: tuple[Section, ...]


def markdown(task: str, lang: Lang = "zh") -> str:
    return Path(__file__).with_name(f"{task}.{lang}.md").read_text(encoding="utf-8")


@cache
def load(task: str, lang: Lang = "zh") -> Guideline:
    """The codebook of a task. Raises ValueError where the file does not have the form that its readers rely on."""
    head, *parts = re.split(r"^## ", markdown(task, lang), flags=re.M)
    version = re.search(r"(?:版本|Version)[：:]\s*([\d.]+)", head)
    general, *rest = parts
    return Guideline(
        task, version[1].rstrip(".") if version else "", _bullets(general), tuple(_section(p, lang) for p in rest)
    )


def for_prompt(task: str, lang: Lang = "zh", pairs: int = 1) -> str:
    """The codebook in the length that a prompt bears: general rules, definitions, precedence, `pairs` border pairs a
    label."""
    book = load(task, lang)
    no = "否" if lang == "zh" else "no"
    lines = [f"- {x}" for x in book.general]
    for s in book.sections:
        lines.append(f"\n【{s.key}】{s.name}：{s.definition}")
        lines += [f"- {x}" for x in s.precedence]
        lines += [f"- {p.yes}（{no}：{p.no}）{p.why}" for p in s.pairs[:pairs]]
    return "\n".join(lines)


def _section(part: str, lang: Lang) -> Section:
    title, *blocks = re.split(r"^### ", part, flags=re.M)
    found = re.match(r"`([^`]+)` ?(.*)", title)
    bodies = dict(b.split("\n", 1) for b in blocks)
    missing = [h for h in HEADINGS[lang] if h not in {k.strip() for k in bodies}]
    if not found or missing:
        raise ValueError(f"section {title.strip()[:40]!r}: no key, or no {', '.join(missing)}")
    bodies = {k.strip(): v for k, v in bodies.items()}
    define, include, exclude, first, border = (bodies[h] for h in HEADINGS[lang])
    pairs = []
    for line in _bullets(border):
        m = _PAIR[lang].fullmatch(line)
        if not m:
            raise ValueError(f"{found[1]}: no pair: {line[:40]!r}")
        pairs.append(Pair(m["yes"].strip(), m["no"].strip(), m["why"].strip()))
    return Section(
        found[1], found[2].strip(), define.strip(), _bullets(include), _bullets(exclude), _bullets(first), tuple(pairs)
    )


def _bullets(text: str) -> tuple[str, ...]:
    return tuple(line[2:].strip() for line in text.splitlines() if line.startswith("- "))
