"""Splits that do not leak: one split for a post and everything like it, over all sources and tasks.

Published test parts stay what they are. Where a source has none among its files, a tenth is cut: by group, stratified
by task and label, in an order that hangs on the posts alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from mentalglm.build import near
from mentalglm.build.item import Item, Split
from mentalglm.build.items import Dropped
from mentalglm.build.recipe import SplitPart


class Divided(NamedTuple):
    """`cut`: source → the parts that were cut by us, since it had none. `groups`: content key → group."""

    items: list[Item]
    dropped: list[Dropped]
    cut: dict[str, list[str]]
    groups: dict[str, str]


def divide(items: Sequence[Item], rules: SplitPart) -> Divided:
    groups = group(items, rules.near)
    cut = _to_cut(items, rules)
    if rules.kind == "published":
        return Divided([replace(i, split=_published(i) or "train") for i in items], [], {}, groups)
    chosen = _fixed(items, groups)
    _cut(items, groups, chosen, cut, rules)
    kept: list[Item] = []
    dropped: list[Dropped] = []
    for item in items:
        split = chosen.get(groups[item.key], "train")
        own = _published(item)
        if split == "test" and own != "test" and _stands_elsewhere(item, cut):
            dropped.append(Dropped(item.id, item.task, item.sources, "overlaps_test", groups[item.key]))
        else:
            kept.append(replace(item, split=split))
    return Divided(kept, dropped, cut, groups)


def group(items: Sequence[Item], threshold: float) -> dict[str, str]:
    """Content key → the least key of its group: near-duplicates, and posts that a source says belong together."""
    texts = {i.key: i.text for i in reversed(items)}
    keys = sorted(texts)
    place = {k: n for n, k in enumerate(keys)}
    families: dict[str, int] = {}
    together = []
    for item in items:
        for name in item.groups:
            together.append((families.setdefault(name, place[item.key]), place[item.key]))
    alike = ((i, j) for i, j, _ in near.pairs([texts[k] for k in keys], threshold))
    roots = near.groups(len(keys), chain(alike, together))
    return {k: keys[roots[n]] for n, k in enumerate(keys)}


def _published(item: Item) -> Split | None:
    """The published part that binds: test before validation before train."""
    parts = {part for _, part in item.parts}
    return next((p for p in ("test", "validation", "train") if p in parts), None)  # type: ignore[return-value]


def _to_cut(items: Sequence[Item], rules: SplitPart) -> dict[str, list[str]]:
    have: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for source, part in item.parts:
            have[source].add(part)
    want = [p for p in ("test", "validation") if getattr(rules, p)]
    return {source: cut for source in sorted(have) if (cut := [p for p in want if p not in have[source]])}


def _fixed(items: Sequence[Item], groups: dict[str, str]) -> dict[str, Split]:
    """Group → its split where a member's published part says test or validation; test is stronger."""
    fixed: dict[str, Split] = {}
    for item in items:
        own, g = _published(item), groups[item.key]
        if own == "test" or (own == "validation" and g not in fixed):
            fixed[g] = own
    return fixed


def _cut(
    items: Sequence[Item],
    groups: dict[str, str],
    chosen: dict[str, Split],
    cut: dict[str, list[str]],
    rules: SplitPart,
) -> None:
    """Fills `chosen`: of each stratum the first groups in hash order until its share is there, counted in posts."""
    weight = Counter(dict.fromkeys(groups.values(), 0))
    of: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        of[groups[item.key]].append(item)
        weight[groups[item.key]] += 1
    frequency = Counter((i.task, label) for i in items for label in i.labels or ("none",))
    strata: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for g, members in of.items():
        source, task, label = min(
            ((part[0], i.task, label) for i in members for part in i.parts[:1] for label in i.labels or ("none",)),
            key=lambda x: (frequency[x[1:]], x),
        )
        strata[source, task, label].append(g)

    def order(g: str) -> str:
        return hashlib.sha256(f"{rules.seed}:{g}".encode()).hexdigest()

    # no test part is cut for these: they could only be dropped
    barred = {groups[i.key] for i in items if _stands_elsewhere(i, cut)}
    for (source, _, _), names in sorted(strata.items()):
        total = sum(weight[g] for g in names)
        free = sorted((g for g in names if g not in chosen), key=order)
        for part in cut.get(source, ()):
            # what stands there already (a neighbour's published part) counts
            have = sum(weight[g] for g in names if chosen.get(g) == part)
            goal = round(getattr(rules, part) * total)
            for g in list(free):
                if have + weight[g] <= goal and not (part == "test" and g in barred):
                    free.remove(g)
                    chosen[g] = part  # type: ignore[assignment]
                    have += weight[g]


def _stands_elsewhere(item: Item, cut: dict[str, list[str]]) -> bool:
    """Whether a source of the item has a published test part, which takes no others in."""
    return any("test" not in cut.get(source, ()) for source, _ in item.parts)
