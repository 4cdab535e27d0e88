"""The n-gram half: hashing, the split of a logit over characters, and the loss of packing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.models.mini.ngrams import BUCKETS, ORDERS, Grams, Linear, grams, weigh

from . import tiny

ANY = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("İΣς我想不活AZﬁ😀\ud800\udfff")), max_size=80)


def random_linear(columns: int = 5) -> Linear:
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (BUCKETS, columns)).astype(np.int8)
    idf = np.where(rng.random(BUCKETS) < 0.5, 0, 1 + 6 * rng.random(BUCKETS)).astype(np.float32)
    return Linear(weights, np.full(columns, 0.01, np.float32), rng.normal(size=columns).astype(np.float32), idf)


LINEAR = random_linear()


@given(ANY)
def test_the_shares_of_the_characters_and_the_bias_sum_to_the_score(text: str) -> None:
    score = LINEAR.score(text)
    with_shares, shares = LINEAR.score_with_characters(text)
    assert shares.shape == (len(text), 5)
    np.testing.assert_allclose(with_shares, score, atol=1e-4)
    np.testing.assert_allclose(LINEAR.bias + shares.sum(0), score, atol=1e-4)


@given(ANY)
def test_every_gram_stands_inside_the_text(text: str) -> None:
    g: Grams = grams(text)
    assert len(g.buckets) == sum(max(0, len(text) - n + 1) for n in ORDERS)
    assert ((g.buckets >= 0) & (g.buckets < BUCKETS)).all()
    assert ((g.starts >= 0) & (g.starts + g.orders <= len(text))).all()


@given(st.text(alphabet="我想不活了Ab ", min_size=3, max_size=20), st.integers(0, 17), st.integers(1, 3))
def test_a_gram_has_the_bucket_of_its_characters_wherever_it_stands(text: str, at: int, order: int) -> None:
    at %= len(text) - order + 1
    whole, alone = grams(text), grams(text[at : at + order])
    here = whole.buckets[(whole.starts == at) & (whole.orders == order)]
    assert here == alone.buckets[alone.orders == order]


def test_case_does_not_count_and_positions_stay() -> None:
    assert (grams("EMO").buckets == grams("emo").buckets).all()
    assert len(grams("İx").buckets) == 3  # lower case of the first is two characters


def test_the_hash_is_the_one_that_shipped_weights_were_made_with() -> None:
    # A change here makes every shipped ngrams.npz wrong without an error: train anew, then write the new numbers.
    assert grams("不想活").buckets.tolist() == [11506, 76774, 5376, 106800, 51707, 73022]


def test_only_the_share_of_what_it_holds_is_given_to_a_character() -> None:
    idf = np.zeros(BUCKETS, np.float32)
    idf[grams("想活").buckets[2]] = 2.0  # the pair; its characters alone weigh nothing
    alone = Linear(LINEAR.weights, LINEAR.scale, LINEAR.bias, idf)
    _, shares = alone.score_with_characters("我不想活了")
    assert np.flatnonzero(shares.any(1)).tolist() == [2, 3]
    np.testing.assert_allclose(shares[2], shares[3])


def test_weights_have_length_one_and_unused_buckets_none() -> None:
    idf = np.zeros(BUCKETS, np.float32)
    assert not weigh(grams("不想活"), idf)[1].any()
    _, x = weigh(grams("不想活不想活"), np.ones(BUCKETS, np.float32))
    assert float((x * x).sum()) == pytest.approx(1, abs=1e-5)
    assert len(set(x.round(4).tolist())) == 2  # what stands twice weighs more


def test_packing_into_eight_bits_hardly_moves_a_logit() -> None:
    tiny.needs_training()
    from mentalglm.train import linear

    texts = [e.text for e in tiny.examples()]
    y = np.array([[float(e.level >= 6) if e.level is not None else np.nan] for e in tiny.examples()])
    idf = linear.inverse_frequency(linear.document_frequency(texts), len(texts))
    x = linear.matrix(texts, idf)
    weights, bias = linear.fit(x, y, 8.0)
    packed = linear.pack(weights, bias, idf)
    exact = x @ weights + bias
    moved = np.abs(np.array([packed.score(t) for t in texts]) - exact)
    assert moved.max() < 0.012 * np.abs(weights).max()
    assert exact.std() > 0.3  # there was something to lose


def test_grams_of_fewer_than_three_posts_weigh_nothing() -> None:
    tiny.needs_training()
    from mentalglm.train import linear

    texts = ["甲乙丙", "甲乙丁", "甲戊己"]
    idf = linear.inverse_frequency(linear.document_frequency(texts), 3)
    assert [ch for ch in "甲乙丙丁戊己" if idf[grams(ch).buckets[0]] > 0] == ["甲"]
    packed = linear.pack(np.ones((BUCKETS, 1), np.float32), np.zeros(1, np.float32), idf)
    assert packed.score("乙丙丁")[0] == 0


def test_a_column_with_one_class_gives_a_low_constant_and_no_sentences_are_no_error() -> None:
    tiny.needs_training()
    from mentalglm.train import linear

    x = linear.matrix(["甲乙", "丙丁"], np.ones(BUCKETS, np.float32))
    weights, bias = linear.fit(x, np.array([[0.0, 1.0], [0.0, np.nan]]), 1.0)
    assert not weights.any()
    assert (bias < 0).all()
    assert linear.matrix([], np.ones(BUCKETS, np.float32)).shape == (0, BUCKETS)
