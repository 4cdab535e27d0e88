"""ROUGE on characters, and the summaries of the pathway."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.evaluate import rouge, spaces
from mentalglm.evaluate.answers import Said
from mentalglm.evaluate.pair import UNPARSED, Gold, Problems, assemble

SPACE = spaces.load("pathway_summary")
text = st.text("累好想不我，a", max_size=14)


def table(a: str, b: str) -> int:
    rows = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            rows[i + 1][j + 1] = rows[i][j] + 1 if x == y else max(rows[i][j + 1], rows[i + 1][j])
    return rows[-1][-1]


@given(text, text)
def test_the_longest_common_subsequence_is_that_of_the_table(a, b):
    assert rouge.common(a, b) == table(a, b)


def test_by_hand():
    assert rouge.rouge_n("我很累", "我不累", 1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert rouge.rouge_n("我很累很累", "很累", 2) == pytest.approx((1, 1 / 4, 0.4))  # counted as often as in both
    assert rouge.rouge_l("我今天很累", "今天我累") == pytest.approx((3 / 4, 3 / 5, 2 / 3))


@given(text, text)
def test_bounds(a, b):
    for one in (rouge.rouge_n(a, b, 1), rouge.rouge_n(a, b, 2), rouge.rouge_l(a, b)):
        assert all(0 <= x <= 1 for x in one)
    assert rouge.rouge_n(a, a, 2).f1 == rouge.rouge_l(a, a).f1 == 1
    assert rouge.rouge_n("累", "好", 2).f1 == 0


def test_width_case_and_spaces_do_not_count():
    assert rouge.rouge_l("ＫＰＩ 没达标", "kpi没达标").f1 == 1


def score(gold: Sequence[tuple], said: Sequence[tuple | None]) -> dict[str, float]:
    right = [Said(0, summary=x) for x in gold]
    answers = [None if x is None else Said(0, summary=x) for x in said]
    status = np.array([UNPARSED if x is None else 0 for x in said], np.int8)
    g = Gold(SPACE, [str(n) for n in range(len(gold))], np.zeros((len(gold), 4), bool), None, right, Problems())
    sums = rouge.features(g, assemble("a", list(answers), status, SPACE, Problems())).sum(0)
    return dict(zip(rouge.METRICS, rouge.metric(sums), strict=True))


def test_a_summary_too_many_and_one_too_few_are_nought():
    gold = [("被批评", None, "睡不着", None)]
    assert score(gold, gold)["rouge1"] == 1
    assert score(gold, [("被批评", None, None, None)])["rouge1"] == 0.5
    assert score(gold, [("被批评", "都怪我", "睡不着", None)])["rouge1"] == pytest.approx(2 / 3)
    found = score(gold, [("被批评", "都怪我", None, None)])
    assert (found["presence_precision"], found["presence_recall"]) == (0.5, 0.5)


def test_an_answer_that_failed_is_nought_even_where_there_is_nothing_to_say():
    none = (None,) * 4
    assert score([("累", None, None, None), none], [("累", None, None, None), none])["rouge1"] == 1
    assert score([("累", None, None, None), none], [("累", None, None, None), None])["rouge1"] == 0.5
    assert score([("累", None, None, None)], [None])["rouge1"] == 0
