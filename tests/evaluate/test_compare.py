"""Comparisons: McNemar as in scipy, Holm's correction, and differences on the same posts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.evaluate import compare, spaces
from mentalglm.evaluate.answers import Said
from mentalglm.evaluate.pair import Gold, Problems, System, assemble, matrix

stats = pytest.importorskip("scipy.stats")
SPACE = spaces.load("suicide_risk")


def gold_of(y: np.ndarray) -> Gold:
    said = [Said(2 if one else 1) for one in y]
    ids = [str(n) for n in range(len(y))]
    return Gold(SPACE, ids, matrix([s.mask for s in said], SPACE), None, said, Problems())


def system_of(said: np.ndarray, name: str = "a") -> System:
    answers = [Said(2 if one else 1) for one in said]
    return assemble(name, list(answers), np.zeros(len(said), np.int8), SPACE, Problems())


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_the_exact_binomial_test(b, c):
    first = np.array([True] * b + [False] * c + [True] * 5)
    second = np.array([False] * b + [True] * c + [True] * 5)
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert compare.mcnemar(first, second) == (b, c, pytest.approx(expected))


def test_many_discordant_posts_are_near_the_exact_test():
    first = np.array([True] * 600 + [False] * 500)
    assert compare.mcnemar(first, ~first)[2] == pytest.approx(stats.binomtest(600, 1100).pvalue, rel=0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm(p):
    found = compare.holm(p)
    order = np.argsort(p, kind="stable")
    assert all(a <= b + 1e-12 for a, b in zip(p, found, strict=True))
    assert all(found[i] <= found[j] + 1e-12 for i, j in pairwise(order))
    assert min(found) == pytest.approx(min(1, len(p) * min(p)))
    assert all(one <= min(1, len(p) * q) + 1e-12 for one, q in zip(found, p, strict=True))


def test_holm_by_hand():
    assert compare.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_system_does_not_differ_from_itself():
    y = np.random.default_rng(0).random(100) < 0.5
    said = ~y ^ (np.random.default_rng(1).random(100) < 0.8)
    for one in compare.paired(gold_of(y), [system_of(said)], [system_of(said)], ("f1",), 200, 0):
        assert one.interval[:3] == (0, 0, 0)
        assert one.p == 1


def test_a_better_system_is_found_and_pairing_narrows_the_interval():
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.5
    a = np.where(rng.random(400) < 0.80, y, ~y)
    b = np.where(rng.random(400) < 0.5, y, a)  # right where `a` is, and on half of its errors
    one = compare.paired(gold_of(y), [system_of(a)], [system_of(b)], ("f1",), 1000, 0)[0]
    assert one.interval.low > 0
    assert one.p < 0.01
    apart = compare.paired(gold_of(y), [system_of(a)], [system_of(rng.permutation(b))], ("f1",), 1000, 0)[0]
    assert one.interval.high - one.interval.low < apart.interval.high - apart.interval.low


def test_seeds_are_compared_by_their_mean():
    rng = np.random.default_rng(0)
    y = rng.random(200) < 0.5
    runs = [system_of(np.where(rng.random(200) < q, y, ~y)) for q in (0.7, 0.75, 0.8, 0.9)]
    gold = gold_of(y)
    found = compare.paired(gold, runs[:2], runs[2:], ("accuracy",), 200, 0)[0].interval.value
    share = [compare.right(gold, run).mean() for run in runs]
    assert found == pytest.approx((share[2] + share[3] - share[0] - share[1]) / 2)
    spread = compare.spread(share)
    assert spread.runs == 4
    assert spread.sd == pytest.approx(np.std(share, ddof=1))


def test_every_pair_is_there_with_a_correction():
    rng = np.random.default_rng(0)
    y = rng.random(150) < 0.5
    systems = {n: [system_of(np.where(rng.random(150) < q, y, ~y), n)] for n, q in (("a", 0.6), ("b", 0.7), ("c", 0.9))}
    found = compare.all_pairs(gold_of(y), systems, 300, 0)
    assert [(r["first"], r["second"], r["metric"]) for r in found] == [
        (a, b, m) for a, b in (("a", "b"), ("a", "c"), ("b", "c")) for m in ("f1", "accuracy")
    ]
    assert all(r["p_holm"] >= r["p"] for r in found)
    assert [r["mcnemar"]["p_holm"] >= r["mcnemar"]["p"] for r in found] == [True] * 6
