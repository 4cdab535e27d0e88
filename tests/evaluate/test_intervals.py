"""Bootstrap: the same intervals as scipy's BCa, whichever way samples are drawn; none where there are too few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mentalglm.evaluate import intervals
from mentalglm.evaluate.intervals import Cells, Interval

stats = pytest.importorskip("scipy.stats")


def f1(s: np.ndarray) -> np.ndarray:
    return (2 * s[..., 0] / np.maximum(2 * s[..., 0] + s[..., 1], 1))[..., None]


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 70))))
def test_patterns_are_the_different_rows(a):
    first, inverse, times = intervals.patterns(a)
    assert (a[first][inverse] == a).all()
    assert len(first) == len(np.unique(a, axis=0))
    assert times.tolist() == np.bincount(inverse).tolist()


def test_many_columns_do_not_run_over():
    rows = np.zeros((3, 130), bool)
    rows[1, 0] = rows[2, 129] = True
    assert len(intervals.patterns(rows)[0]) == 3


def test_how_many_come_from_each_block_varies_too():
    """Blocks of 65,536 posts are no strata."""
    x = (np.arange(100_000) < 65_536).astype(float)
    given_ = Cells(np.stack([x, np.random.default_rng(0).random(100_000)], 1), np.ones(100_000, int))
    sums = intervals.resampled(given_, 200)[:, 0]
    assert sums.std() == pytest.approx(x.std() * np.sqrt(100_000), rel=0.2)


@given(arrays(bool, (30, 3)), arrays(int, 30, elements=st.integers(0, 4)))
def test_cells_sum_to_the_whole_with_and_without_groups(a, groups):
    groups = np.unique(groups, return_inverse=True)[1]
    alone, grouped = intervals.cells(lambda at: a[at] * 1.0, [a]), intervals.cells(lambda at: a[at] * 1.0, [a], groups)
    assert alone.units == 30
    assert grouped.units == groups.max() + 1
    assert (alone.sums == a.sum(0)).all()
    assert (grouped.sums == a.sum(0)).all()


@pytest.mark.parametrize("units", [300, 70_000])  # drawn as counts of cells; drawn in blocks
def test_samples_have_the_size_mean_and_variance_of_the_posts(units):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, units).astype(float) if units == 300 else rng.normal(2, 1, units)
    rows = np.stack([np.ones(units), x], 1)
    given_ = Cells(rows, np.ones(units, int)) if units > 300 else intervals.cells(lambda at: rows[at], [x > 0])
    sums = intervals.resampled(given_, 400, seed=3)
    assert (sums[:, 0] == units).all()
    means = sums[:, 1] / units
    assert means.mean() == pytest.approx(x.mean(), abs=5 * x.std() / np.sqrt(units * 400))
    assert means.std() == pytest.approx(x.std() / np.sqrt(units), rel=0.15)


@pytest.mark.parametrize("n", [40, 400])
def test_the_interval_is_that_of_scipy(n):
    rng = np.random.default_rng(n)
    y, said = rng.random(n) < 0.4, rng.random(n) < 0.5
    said |= y & (rng.random(n) < 0.6)
    rows = np.stack([y & said, y ^ said], 1).astype(float)
    found = intervals.bca(intervals.cells(lambda at: rows[at], [y, said]), f1, 8000, seed=1)[0]
    theirs = stats.bootstrap(
        (rows[:, 0], rows[:, 1]),
        lambda a, b, axis: 2 * a.sum(axis) / (2 * a.sum(axis) + b.sum(axis)),
        paired=True,
        vectorized=True,
        n_resamples=8000,
        method="BCa",
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert found.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert found.high == pytest.approx(theirs.high, abs=0.05 * width)
    assert found.low < found.value < found.high


def test_skew_is_corrected_as_in_scipy():
    x = np.random.default_rng(3).exponential(1.0, 25) ** 2
    one = intervals.bca(
        Cells(np.stack([x, np.ones(25)], 1), np.ones(25, int)), lambda s: s[..., :1] / s[..., 1:2], 20_000
    )[0]
    theirs, plain = (
        stats.bootstrap((x,), np.mean, n_resamples=20_000, method=m, rng=np.random.default_rng(2)).confidence_interval
        for m in ("BCa", "percentile")
    )
    width = theirs.high - theirs.low
    assert (one.low, one.high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * width)
    assert theirs.high - plain.high > 0.1 * width  # so that a wrong correction would show


def test_the_interval_holds_what_it_promises():
    """95 % of intervals from 60 skewed numbers hold the true mean; a wrong sign in the correction would lose that."""
    rng, hits = np.random.default_rng(0), 0
    for seed in range(400):
        x = rng.exponential(1.0, 60)
        rows = np.stack([x, np.ones(60)], 1)
        one = intervals.bca(Cells(rows, np.ones(60, int)), lambda s: s[..., :1] / s[..., 1:2], 500, seed)[0]
        hits += one.low <= 1 <= one.high
    assert 0.90 <= hits / 400 <= 0.97


def test_groups_that_hang_together_widen_it():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 25)
    right = (rng.random(40) < 0.7)[groups]
    rows = np.stack([right, np.ones(1000, bool)], 1).astype(float)
    widths = []
    for g in (None, groups):
        one = intervals.bca(intervals.cells(lambda at: rows[at], [right], g), lambda s: s[..., :1] / s[..., 1:2])[0]
        widths.append(one.high - one.low)
    assert widths[1] > 3 * widths[0]


def test_equal_seeds_give_equal_samples():
    cells = Cells(np.arange(20.0)[:, None], np.ones(20, int))
    assert (intervals.resampled(cells, 10, 5) == intervals.resampled(cells, 10, 5)).all()
    assert (intervals.resampled(cells, 10, 5) != intervals.resampled(cells, 10, 6)).any()


def test_no_interval_on_few():
    one = intervals.bca(Cells(np.ones((4, 1)), np.ones(4, int)), lambda s: s)[0]
    assert np.isnan(one.low)
    settled = intervals.settle([Interval(0.5, 0.4, 0.6)] * 2, np.array([4.0, 5.0]), np.array([4.0, 5.0]))
    assert np.isnan(settled[0].low)
    assert "4 positives" in settled[0].note
    assert settled[1].low == 0.4


@given(st.integers(1, 500), st.booleans())
def test_a_share_that_no_sample_moves_has_its_exact_bound(n, all_):
    one = intervals.exact(float(all_), n)
    theirs = stats.binomtest(n if all_ else 0, n).proportion_ci(0.95, "exact")
    assert (one.low, one.high) == pytest.approx((theirs.low, theirs.high))


def test_to_beat_a_published_number_needs_the_lower_bound():
    assert intervals.shows_more(Interval(0.85, 0.83, 0.88), 0.8276)
    assert not intervals.shows_more(Interval(0.85, 0.82, 0.88), 0.8276)
    assert not intervals.shows_more(Interval(0.99, np.nan, np.nan), 0.8276)
