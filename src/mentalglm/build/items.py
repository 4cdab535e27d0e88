"""From labelled posts to items: one a content key and task, whatever the sources that have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mentalglm.build.item import Item
from mentalglm.build.recipe import LabelPart
from mentalglm.sources.labelled import Labelled, Sentence
from mentalglm.tasks import NAMES, load
from mentalglm.tasks.answer import FIRST_HIGH, with_parents
from mentalglm.text import content_key, mask


class Dropped(NamedTuple):
    """A row that goes no further, with a reason out of the closed set REASONS."""

    id: str
    task: str
    sources: tuple[str, ...]
    reason: str
    detail: str


REASONS = (
    "empty",  # nothing to read once blanks are gone
    "unlabelled",  # its source says nothing of this task
    "conflicting_labels",  # one post has two labels (a binary one and a level of suicide risk: see the next)
    "sources_disagree",  # a level and a binary label that do not fit (only where the recipe drops these)
    "overlaps_test",  # the same post, or nearly, stands in a test part
    "bad_sentences",  # a sentence's offsets do not fit the post
)


class Items(NamedTuple):
    items: list[Item]
    dropped: list[Dropped]


def masked(row: Labelled) -> tuple[str, tuple[Sentence, ...]]:
    """The row's text with personal data replaced, and its sentences moved along."""
    text, found = mask(row.text)
    if not found or not row.sentences:
        return text, row.sentences

    def move(at: int, *, end: bool) -> int:
        shift = 0
        for m in found:
            if at >= m.end:
                shift += len(m.kind) - (m.end - m.start)
            elif at > m.start:
                return m.start + shift + (len(m.kind) if end else 0)
        return at + shift

    return text, tuple(Sentence(move(s.start, end=False), move(s.end, end=True), s.labels) for s in row.sentences)


def merge(rows: Iterable[Labelled], rules: LabelPart) -> Items:
    """One item a content key and task (and, for the English IMHI tasks, question); order is that of the sources. The text
    is that of the first source."""
    groups: dict[tuple[str, str, str], list[tuple[Labelled, str, tuple[Sentence, ...]]]] = defaultdict(list)
    dropped: list[Dropped] = []
    for row in rows:
        if not row.text.strip():
            dropped.append(Dropped(row.id, row.task, (row.id,), "empty", ""))
            continue
        text, sentences = masked(row)
        asked = "" if row.task in NAMES else row.question or ""  # MultiWD asks six questions of one post
        groups[content_key(text), row.task, asked].append((row, text, sentences))
    questions = defaultdict(list)
    for key, task, asked in groups:
        questions[key, task].append(asked)
    items: list[Item] = []
    for (key, task, asked), members in groups.items():
        several = len(questions[key, task]) > 1
        made = _item(key, task, members, rules, f"-{content_key(asked)[:8]}" if several else "")
        (dropped if isinstance(made, Dropped) else items).append(made)  # type: ignore[arg-type]
    return Items(items, dropped)


def _item(
    key: str,
    task: str,
    members: Sequence[tuple[Labelled, str, tuple[Sentence, ...]]],
    rules: LabelPart,
    question: str,
) -> Item | Dropped:
    rows = [m[0] for m in members]
    ids = tuple(r.id for r in rows)
    first, text, sentences = members[0]

    def drop(reason: str, detail: str) -> Dropped:
        return Dropped(f"{key}-{task}{question}", task, ids, reason, detail)

    label_from, labels, level, disagrees = first.source, first.labels, first.level, ""
    if task == "suicide_risk":
        chosen = _risk(rows, rules)
        if isinstance(chosen, tuple) and len(chosen) == 2:
            return drop(*chosen)
        labels, label_from, level, disagrees = chosen
    else:
        distinct = {tuple(sorted(r.labels)) for r in rows if r.labels is not None}
        if len(distinct) > 1 and rules.conflicts == "drop":
            return drop("conflicting_labels", " / ".join("|".join(d) or "none" for d in sorted(distinct)))
        with_labels = next((r for r in rows if r.labels is not None), first)
        labels, label_from = with_labels.labels, with_labels.source
    if labels is None:
        return drop("unlabelled", "")
    if any(not 0 <= s.start < s.end <= len(text) for s in sentences):
        return drop("bad_sentences", "")
    return Item(
        id=f"{key}-{task}{question}",
        key=key,
        task=task,
        text=text,
        labels=with_parents(load(task), labels) if task in NAMES else tuple(labels),
        label_from=label_from,
        level=level,
        sentences=sentences,
        sources=ids,
        parts=tuple(dict.fromkeys((r.source, r.part) for r in rows)),
        explanations=tuple(r.explanation for r in rows if r.explanation),
        summary={k: v for r in reversed(rows) for k, v in r.summary.items()},
        groups=tuple(dict.fromkeys(f"{r.source}:{r.group}" for r in rows if r.group)),
        disagrees=disagrees,
    )


def _risk(
    rows: Sequence[Labelled], rules: LabelPart
) -> tuple[tuple[str, ...] | None, str, int | None, str] | tuple[str, str]:
    """Labels, where they are from, level, how sources differ; or a reason to drop and its detail.

    A binary label wins over a level; of two levels on one side of the rule the deeper holds.
    """
    binary = [(r.source, r.labels[0]) for r in rows if r.labels]
    levels = [r.level for r in rows if r.level is not None]
    values = list(dict.fromkeys(v for _, v in binary))
    if len(values) > 1 and rules.conflicts == "drop":
        return "conflicting_labels", " / ".join(sorted(values))
    sides = {n >= FIRST_HIGH for n in levels}
    if not binary and len(sides) > 1 and rules.conflicts == "drop":
        return "conflicting_labels", "levels " + " / ".join(map(str, sorted(levels)))
    level = max(levels) if levels else None
    if not binary:
        if level is None:
            return None, rows[0].source, None, ""
        source = next(r.source for r in rows if r.level is not None)
        return ("high" if level >= FIRST_HIGH else "low",), f"{source}: level {FIRST_HIGH} and above", level, ""
    source, label = binary[0]
    fits = [n for n in levels if (n >= FIRST_HIGH) == (label == "high")]
    other = "" if len(fits) == len(levels) else f"level {max(n for n in levels if n not in fits)} elsewhere"
    if other and rules.disagreement == "drop":
        return "sources_disagree", f"{label}, {other}"
    if other and rules.disagreement == "leave_out_level":
        level = max(fits) if fits else None
    return (label,), source, level, other
