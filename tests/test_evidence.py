"""Evidence: whatever the contributions, the spans are spans of the text, within the limit, and readable."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm import evidence

PUNCTUATION = '，。！？；：、…~～,.!?;:"“”‘’（）()【】[]'
CLAUSES = st.lists(st.text(alphabet="我好累想死掉ab1", min_size=1, max_size=30), min_size=1, max_size=3)
TEXTS = st.one_of(
    st.text(alphabet="我好累没想死掉ab1，。！“…、 \n\u3000", min_size=1, max_size=60),
    CLAUSES.map("，".join),
    CLAUSES.map(" ".join),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, np.ndarray, int, list[int] | None]:
    text = draw(TEXTS)
    n = len(text)
    added = draw(st.lists(st.floats(-5, 5, width=32), min_size=n, max_size=n))
    limit = draw(st.one_of(st.just(evidence.budget(n)), st.integers(1, n + 3)))
    edges = draw(st.one_of(st.none(), st.lists(st.integers(0, n), unique=True)))
    return text, np.array(added, np.float32), limit, edges


@given(cases())
def test_spans_are_inside_ascending_disjoint_few_and_within_the_limit(case) -> None:
    text, added, limit, edges = case
    spans = evidence.find(added, text, limit, edges)
    assert len(spans) <= evidence.SPANS
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(b < c for (_, b), (c, _) in pairwise(spans))
    assert sum(b - a for a, b in spans) <= limit
    if text.strip():
        assert spans


@given(cases())
def test_a_span_crosses_blanks_only_and_no_punctuation(case) -> None:
    text, added, limit, edges = case
    if all(c in PUNCTUATION or c.isspace() for c in text):
        return  # no clause at all: the text itself is shown
    for a, b in evidence.find(added, text, limit, edges):
        assert text[a:b] == text[a:b].strip()
        assert not set(text[a:b]) & set(PUNCTUATION)


@given(cases())
def test_a_span_begins_at_an_edge_or_with_its_clause(case) -> None:
    text, added, limit, edges = case
    if edges is None or all(c in PUNCTUATION or c.isspace() for c in text):
        return
    clauses = {m.start() for m in re.finditer(rf"[^\s{re.escape(PUNCTUATION)}]+", text)}
    assert {a for a, _ in evidence.find(added, text, limit, edges)} <= clauses | set(edges)


@given(cases())
def test_the_first_span_adds_at_least_what_any_one_character_pair_of_a_clause_adds(case) -> None:
    text, added, _, _ = case
    spans = evidence.find(added, text, 2)
    best = max((float(added[i : i + 2].sum()) for i in pairs(text)), default=None)
    if best is not None and len(text) > 1:
        assert sum(float(added[a:b].sum()) for a, b in spans) >= best - 1e-4


def pairs(text: str) -> list[int]:
    return [i for i in range(len(text) - 1) if not any(c in PUNCTUATION or c.isspace() for c in text[i : i + 2])]


def weights(text: str, **words: float) -> np.ndarray:
    added = np.zeros(len(text), np.float32)
    for word, value in words.items():
        at = text.index(word)
        added[at : at + len(word)] = value / len(word)
    return added


def quotes(text: str, added: np.ndarray, limit: int | None = None, edges: list[int] | None = None) -> list[str]:
    limit = evidence.budget(len(text)) if limit is None else limit
    return [text[a:b] for a, b in evidence.find(added, text, limit, edges)]


def test_the_words_that_add_most_are_quoted_in_the_order_of_the_text() -> None:
    text = "昨天下了一整天的雨，我不想活了，晚饭是楼下的面，药也已经买好了，窗外的车声一直没有停过，天快亮了。"
    added = weights(text, 不想活=3.0, 药也已经买好了=4.0)
    assert quotes(text, added) == ["我不想活了", "药也已经买好了"]  # 12 of at most 14 characters


def test_most_of_a_clause_becomes_the_clause_where_there_is_room() -> None:
    text = "昨天下了一整天的雨，我不想活了，晚饭是楼下的面，窗外的车声一直没有停过，天快亮了啊。"
    assert quotes(text, weights(text, 不想活=3.0)) == ["我不想活了"]
    assert quotes(text, weights(text, 不想活=3.0), limit=3) == ["不想活"]


def test_a_weak_second_span_is_left_out() -> None:
    text = "药都已经买好了，雨真大，一直到晚上才停下来，路灯都亮了，人也都回家了吧，街上没有人了。"
    assert quotes(text, weights(text, 药都已经买好了=4.0, 雨真大=0.9)) == ["药都已经买好了"]
    assert quotes(text, weights(text, 药都已经买好了=4.0, 雨真大=1.1)) == ["药都已经买好了", "雨真大"]


def test_spans_with_a_blank_between_them_are_one_if_the_blank_fits() -> None:
    text = "不想活 撑不住"
    added = np.array([1, 1, 1, 0, 1, 1, 1], np.float32)
    assert quotes(text, added, limit=7) == [text]
    assert quotes(text, added, limit=6) == ["不想活", "撑不住"]


def test_a_token_longer_than_the_limit_is_cut() -> None:
    assert quotes("啊" * 50, np.ones(50, np.float32), limit=15, edges=[0, 50]) == ["啊" * 15]


def test_nothing_that_adds_gives_one_span_and_an_empty_text_none() -> None:
    text = "今天的风有一点大，晚上早一点睡觉。"
    assert len(quotes(text, -np.ones(len(text), np.float32))) == 1
    assert evidence.find(np.zeros(0, np.float32), "", 1) == []


@pytest.mark.parametrize("length", [1, 2, 3, 5, 19, 20, 39, 40, 41, 400, 100_000])
def test_the_budget(length: int) -> None:
    budget = evidence.budget(length)
    assert budget >= 1
    assert budget <= (12 if length < 40 else 0.3 * length)  # the deletion test's rule
    if length > 40:
        assert budget <= length / 2


@pytest.mark.parametrize(
    ("limit", "found"),
    [(6, "我觉得我没用"), (5, "我觉得我")],  # the word after the negation where there is room, else neither
)
def test_a_span_does_not_break_off_after_a_negation(limit: int, found: str) -> None:
    text = "我觉得我没用这辈子就这样了吧真的没意思"
    added = np.array([1.0] * 5 + [-0.1] * (len(text) - 5))
    ((start, end),) = evidence.find(added, text, limit)
    assert text[start:end] == found
