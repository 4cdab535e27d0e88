"""Who overlaps with whom: for every two sets and parts, posts that are the same, posts that are nearly so, and labels
that contradict each other. Before the split as published, and after it as built."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from mentalglm.build import near
from mentalglm.build.item import Item
from mentalglm.build.items import masked
from mentalglm.sources.labelled import Labelled
from mentalglm.tasks.answer import FIRST_HIGH
from mentalglm.text import content_key


class Member(NamedTuple):
    """A post as a member of a set's part: `answers` is what the set says of it, by question (task, level)."""

    name: str  # SOURCE:PART, or TASK:SPLIT of the built dataset
    key: str
    text: str
    answers: tuple[tuple[str, str], ...]


def of_rows(rows: Iterable[Labelled]) -> list[Member]:
    out = []
    for r in rows:
        if not r.text.strip():
            continue
        text, _ = masked(r)
        answers = [(r.task + (r.question or ""), "|".join(sorted(r.labels)))] if r.labels is not None else []
        if r.level is not None:
            answers.append(("level", str(r.level)))
            if r.labels is None and r.task == "suicide_risk":
                answers.append((r.task, "high" if r.level >= FIRST_HIGH else "low"))
        out.append(Member(f"{r.source}:{r.part or 'all'}", content_key(text), text, tuple(answers)))
    return out


def of_items(items: Iterable[Item]) -> list[Member]:
    return [Member(f"{i.task}:{i.split}", i.key, i.text, ((i.id, "|".join(i.labels)),)) for i in items]


def table(members: Sequence[Member], threshold: float) -> list[dict[str, Any]]:
    """One row a pair of names, and one a name with itself: {a, b, posts_a, posts_b, exact, near, conflicts}.

    exact: content keys in both (with itself: rows beyond the first of a key). near: further keys of `a` that are nearly
    one of `b`. conflicts: shared keys to which the two give different answers to the same question.
    """
    by_name: dict[str, dict[str, dict[str, set[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    rows_of: dict[str, int] = defaultdict(int)
    texts: dict[str, str] = {}
    for m in members:
        rows_of[m.name] += 1
        texts.setdefault(m.key, m.text)
        answers = by_name[m.name][m.key]
        for question, value in m.answers:
            answers[question].add(value)
    keys = sorted(texts)
    alike: dict[str, set[str]] = defaultdict(set)
    for i, j, _ in near.pairs([texts[k] for k in keys], threshold):
        alike[keys[i]].add(keys[j])
        alike[keys[j]].add(keys[i])
    names = sorted(by_name)
    out = []
    for a in names:
        mine = by_name[a]
        twice = sum(any(len(v) > 1 for v in answers.values()) for answers in mine.values())
        close = sum(bool(alike[k] & mine.keys()) for k in mine)
        out.append(_row(a, a, rows_of, rows_of[a] - len(mine), close, twice))
    for a, b in combinations(names, 2):
        left, right = by_name[a], by_name[b]
        shared = left.keys() & right.keys()
        close = sum(bool(alike[k] & right.keys()) for k in left.keys() - shared)
        conflicts = sum(
            any(left[k][q] != right[k][q] for q in left[k].keys() & right[k].keys()) for k in sorted(shared)
        )
        out.append(_row(a, b, rows_of, len(shared), close, conflicts))
    return out


def across_splits(rows: Sequence[dict[str, Any]]) -> int:
    """Posts that stand, exactly or nearly, in two splits of the built dataset; must be nought."""
    return sum(r["exact"] + r["near"] for r in rows if r["a"].rpartition(":")[2] != r["b"].rpartition(":")[2])


def markdown(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> str:
    lines = [
        "# Overlaps",
        "",
        "Exact: the same content key. Near: Jaccard of character 3-grams at or over the recipe's.",
    ]
    for title, rows in (("As published", before), ("As built", after)):
        lines += [
            "",
            f"## {title}",
            "",
            "| a | b | rows a | rows b | exact | near | conflicts |",
            "|---|---|--:|--:|--:|--:|--:|",
        ]
        shown = [r for r in rows if r["exact"] or r["near"] or r["conflicts"]]
        lines += [
            f"| {r['a']} | {r['b']} | {r['rows_a']} | {r['rows_b']} | {r['exact']} | {r['near']} | {r['conflicts']} |"
            for r in shown
        ]
        lines.append(f"\n{len(rows) - len(shown)} further pairs have none." if shown else "\nNo pair has any.")
    return "\n".join(lines) + "\n"


def _row(a: str, b: str, rows: dict[str, int], exact: int, near_: int, conflicts: int) -> dict[str, Any]:
    return {"a": a, "b": b, "rows_a": rows[a], "rows_b": rows[b], "exact": exact, "near": near_, "conflicts": conflicts}
