"""Over all rows: explanations that are one form filled in, and explanations that are nearly one text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mentalglm.build.near import pairs

from . import lexicon, passages
from .verdict import Finding, Row, Settings, find

_DIGITS = re.compile(r"[0-9０-９]+(?:[.．][0-9０-９]+)?")


def skeleton(explanation: str) -> str:
    """The form of an explanation: quotations become “”, names of labels, tasks and levels 「」, several in a row one,
    numbers 0, and white space goes."""
    parts: list[str] = []
    at = 0
    for p in passages.find(explanation).passages:
        parts += [explanation[at : p.start - 1], "「」" if lexicon.is_term(p.text) else "“”"]
        at = p.end + 1
    text = "".join([*parts, explanation[at:]])
    text = lexicon.names().sub("「」", text)
    text = _DIGITS.sub("0", "".join(text.split()))
    text = re.sub(r"“”(?:[、，,和与及]*“”)+", "“”", text)
    return re.sub(r"「」(?:[、，,和与及]*「」)+", "「」", text)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What `look` found: rows with an explanation, how many have a skeleton that stands in another row too, groups of
    such rows (indices, the largest first), pairs of near-duplicates (i < j, Jaccard), and the findings of each row."""

    rows: int
    shared: int
    groups: tuple[tuple[int, ...], ...]
    near: tuple[tuple[int, int, float], ...]
    findings: tuple[tuple[Finding, ...], ...]
    limit: float

    @property
    def share(self) -> float:
        return self.shared / self.rows if self.rows else 0.0

    @property
    def passed(self) -> bool:
        return self.share <= self.limit

    def summary(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "skeleton_shared": self.shared,
            "skeleton_share": round(self.share, 4),
            "skeleton_limit": self.limit,
            "skeleton_passed": self.passed,
            "skeleton_largest_group": len(self.groups[0]) if self.groups else 0,
            "near_duplicate_pairs": len(self.near),
        }


def look(rows: Sequence[Row], settings: Settings | None = None) -> Corpus:
    """Looks at all rows together. In a group of one skeleton the first row is left alone, so that a build that sends
    the others back ends with one row of each form."""
    settings = settings or Settings()
    by_form: dict[str, list[int]] = defaultdict(list)
    have = [i for i, row in enumerate(rows) if row.explanation.strip()]
    for i in have:
        by_form[skeleton(rows[i].explanation)].append(i)
    groups = sorted((tuple(g) for g in by_form.values() if len(g) > 1), key=lambda g: (-len(g), g))
    found: list[list[Finding]] = [[] for _ in rows]
    for group in groups:
        for i in group[1:]:
            found[i] += find(settings, "skeleton_shared")
    near: list[tuple[int, int, float]] = []
    if settings.grade("near_duplicate") != "pass":
        texts = [rows[i].explanation for i in have]
        near = [(have[a], have[b], round(j, 4)) for a, b, j in pairs(texts, settings.near_duplicate)]
        near = sorted(p for p in near if rows[p[0]].item.key != rows[p[1]].item.key)
        for i, j, similar in near:
            found[j] += find(settings, "near_duplicate", f"{rows[i].id}, {similar:.2f}")
    shared = sum(len(g) for g in groups)
    return Corpus(
        len(have), shared, tuple(groups), tuple(near), tuple(map(tuple, found)), settings.max_shared_skeletons
    )
