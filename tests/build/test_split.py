from __future__ import annotations

import random
from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from mentalglm.build import leakage, near
from mentalglm.build.item import Item
from mentalglm.build.recipe import SplitPart
from mentalglm.build.split import divide
from mentalglm.text import content_key

WORDS = [
    "山",
    "水",
    "云",
    "天",
    "车",
    "站",
    "雨",
    "伞",
    "书",
    "灯",
    "茶",
    "桥",
    "河",
    "门",
    "窗",
    "风",
    "雪",
    "路",
    "灯",
    "船",
    "信",
    "鸟",
    "花",
    "树",
    "石",
    "火",
    "月",
    "星",
    "海",
    "沙",
]


def text(seed: int, length: int = 24) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(WORDS) for _ in range(length))


def item(
    words: str, *, source: str = "a", part: str = "train", label: str = "low", group: str = "", n: int = 0
) -> Item:
    key = content_key(words)
    return Item(
        f"{key}-suicide_risk", key, "suicide_risk", words, (label,), source, sources=(f"{source}-{n}",),
        parts=((source, part),), groups=(f"{source}:{group}",) if group else (),
    )  # fmt: skip


def test_a_tenth_is_cut_where_a_source_has_no_test_part_by_label() -> None:
    items = [item(text(i), label="high" if i % 4 == 0 else "low", n=i) for i in range(400)]
    divided = divide(items, SplitPart())
    assert divided.cut == {"a": ["test", "validation"]}
    count = Counter((i.split, i.labels[0]) for i in divided.items)
    assert {k: count[k, "high"] for k in ("test", "validation", "train")} == {"test": 10, "validation": 10, "train": 80}
    assert count["test", "low"] == 30
    again = divide(list(reversed(items)), SplitPart())
    assert {i.key: i.split for i in again.items} == {i.key: i.split for i in divided.items}
    other = divide(items, SplitPart(seed=1))
    assert {i.key: i.split for i in other.items} != {i.key: i.split for i in divided.items}


def test_a_published_test_part_stays_and_what_is_like_it_leaves_training() -> None:
    one = text(1)
    items = [
        item(one, part="test", n=1),
        item(one[:-1] + "呀", part="train", n=2),  # nearly the same, from the same set's training part
        item(one + "啊", source="b", part="train", n=3),  # and from a set whose test part is not here
        item(text(2), part="train", n=4),
    ]
    divided = divide(items, SplitPart(test=0.1, validation=0))
    split = {i.sources[0]: i.split for i in divided.items}
    assert split["a-1"] == "test"
    assert split["a-4"] == "train"
    assert split["b-3"] == "test"
    assert [(d.sources, d.reason) for d in divided.dropped] == [(("a-2",), "overlaps_test")]
    assert "a" not in divided.cut
    assert "b" in divided.cut


def test_splits_as_published_keep_overlaps_and_they_are_counted() -> None:
    one = text(1)
    items = [item(one, part="test", n=1), item(one[:-1] + "呀", part="train", n=2)]
    divided = divide(items, SplitPart(kind="published"))
    assert [i.split for i in divided.items] == ["test", "train"]
    assert leakage.across_splits(leakage.table(leakage.of_items(divided.items), 0.7)) > 0


def test_posts_that_belong_together_stay_together() -> None:
    items = [item(text(i), group=f"record-{i // 5}", n=i) for i in range(200)]
    divided = divide(items, SplitPart())
    splits = defaultdict(set)
    for i in divided.items:
        splits[i.groups].add(i.split)
    assert all(len(s) == 1 for s in splits.values())
    assert {"train", "validation", "test"} == {i.split for i in divided.items}


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 3), st.sampled_from(["train", "validation", "test"])), max_size=40
    )
)
def test_no_post_or_near_copy_stands_in_two_splits(drawn: list[tuple[int, int, str]]) -> None:
    items = {}
    for n, (seed, tail, part) in enumerate(drawn):
        made = item(text(seed) + "啊" * tail, part=part, n=n)
        items.setdefault(made.id, made)
    divided = divide(list(items.values()), SplitPart())
    assert leakage.across_splits(leakage.table(leakage.of_items(divided.items), 0.7)) == 0
    assert len(divided.items) + len(divided.dropped) == len(items)
    # a published test row is a test row, whatever is like it
    kept = {i.id: i.split for i in divided.items}
    assert all(kept.get(i.id) == "test" for i in items.values() if ("a", "test") in i.parts)


@given(st.lists(st.text("甲乙丙丁戊", min_size=1, max_size=12), max_size=20), st.sampled_from([0.6, 0.7, 0.8, 1.0]))
def test_minhash_finds_what_the_exact_join_finds(texts: list[str], threshold: float) -> None:
    sets = [near.grams(t) for t in texts]
    exact = {(i, j) for j in range(len(texts)) for i in range(j) if near.jaccard(sets[i], sets[j]) >= threshold}
    found = {(i, j) for i, j, _ in near.pairs(texts, threshold)}
    assert found <= exact
    assert len(exact - found) <= 0.05 * len(exact) + 1  # by chance a pair at the threshold may be missed


def test_the_table_names_overlaps_and_conflicts() -> None:
    from mentalglm.sources.labelled import Labelled

    rows = [
        Labelled("a-1", "a", "train", "suicide_risk", text(1), ("low",)),
        Labelled("a-2", "a", "test", "suicide_risk", text(2), ("low",)),
        Labelled("b-1", "b", "train", "suicide_risk", text(1), None, level=7),
        Labelled("b-2", "b", "train", "suicide_risk", text(2)[:-1] + "呀", None, level=1),
    ]
    table = {(r["a"], r["b"]): r for r in leakage.table(leakage.of_rows(rows), 0.7)}
    assert table["a:train", "b:train"]["exact"] == 1
    assert table["a:train", "b:train"]["conflicts"] == 1
    assert table["a:test", "b:train"]["near"] == 1
    assert table["a:test", "b:train"]["exact"] == 0
    shown = leakage.markdown(list(table.values()), [])
    assert "| a:train | b:train | 1 | 2 | 1 | 0 | 1 |" in shown
