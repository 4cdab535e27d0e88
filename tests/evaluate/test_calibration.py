"""Calibration and decisions against scikit-learn, brute force and cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mentalglm.evaluate import calibration, decisions
from mentalglm.evaluate.intervals import Interval

sklearn = pytest.importorskip("sklearn")

probability = st.floats(0, 1, width=32).map(float)


@st.composite
def cases(draw, least: int = 1):
    n = draw(st.integers(least, 40))
    return draw(arrays(float, n, elements=probability)), draw(arrays(bool, n)).astype(float)


@given(cases(2))
def test_brier_and_log_loss_as_in_scikit_learn(case):
    from sklearn.metrics import brier_score_loss, log_loss

    p, y = case
    assert calibration.brier(p, y) == pytest.approx(
        brier_score_loss(y, p, pos_label=1) if len(set(y)) > 1 else ((p - y) ** 2).mean()
    )
    q = np.clip(p, 1e-6, 1 - 1e-6)
    assert calibration.log_losses(p, y).mean() == pytest.approx(log_loss(y, q, labels=[0, 1]))


@given(cases())
def test_ece_by_brute_force(case):
    p, y = case
    total = 0.0
    for b in range(15):
        rows = [i for i in range(len(p)) if min(int(p[i] * 15), 14) == b]
        total += abs(sum(p[i] - y[i] for i in rows)) / len(p)
    assert calibration.ece(p, y) == pytest.approx(total)


def test_what_is_exactly_right_is_found_so():
    rng = np.random.default_rng(0)
    p = rng.beta(2, 2, 20_000)
    y = (rng.random(20_000) < p).astype(float)
    assert calibration.debiased_ece(p, y) < calibration.ece_by_chance(p) * 1.5 < 0.03
    found = calibration.line(p, y, np.arange(len(p)))
    assert found.slope.low < 1 < found.slope.high
    assert found.intercept.low < 0 < found.intercept.high


def test_chance_is_taken_off_the_error():
    """Of exactly right probabilities the squared error is 0 on average, so that the root is cut off at 0 half the time."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, 600)
    found = [calibration.debiased_ece(p, (rng.random(600) < p).astype(float)) for _ in range(100)]
    assert 30 < sum(one == 0 for one in found) < 80


def test_overconfidence_is_found_with_its_size():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 1.5, 20_000)
    y = (rng.random(20_000) < 1 / (1 + np.exp(-z))).astype(float)
    p = 1 / (1 + np.exp(-(2 * z + 1)))  # twice too sure, and too high
    found = calibration.line(p, y, np.arange(len(p)))
    assert found.slope.value == pytest.approx(0.5, abs=0.03)
    assert found.intercept.high < 0
    assert calibration.debiased_ece(p, y) > 3 * calibration.ece_by_chance(p)


def test_slope_as_in_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    p = rng.uniform(0.02, 0.98, 500)
    y = (rng.random(500) < p**1.3).astype(float)
    z = np.log(p / (1 - p))[:, None]
    theirs = LogisticRegression(C=1e9, tol=1e-9, max_iter=1000).fit(z, y).coef_[0, 0]
    assert calibration.line(p, y, np.arange(500)).slope.value == pytest.approx(theirs, abs=1e-3)


def test_copies_of_a_post_do_not_narrow_the_slope():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.05, 0.95, 200)
    y = (rng.random(200) < p).astype(float)
    alone = calibration.line(p, y, np.arange(200)).slope
    copied = calibration.line(np.tile(p, 9), np.tile(y, 9), np.tile(np.arange(200), 9)).slope
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=1e-6)


@pytest.mark.parametrize("y", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1]])
def test_a_slope_that_cannot_be_fitted_is_none(y):
    p = np.array([0.1, 0.2, 0.8, 0.9])
    assert np.isnan(calibration.line(p, np.array(y, float), np.arange(4)).slope.value)


def test_one_probability_for_all_has_an_intercept_and_no_slope():
    found = calibration.line(np.full(100, 0.3), (np.arange(100) < 50).astype(float), np.arange(100))
    assert np.isnan(found.slope.value)
    assert found.intercept.value == pytest.approx(np.log(7 / 3))


@settings(max_examples=25)
@given(cases(2))
def test_any_probabilities_can_be_summed_up(case):
    p, y = case
    found = calibration.summary(p[:, None], y[:, None], None, 20, 0)
    assert 0 <= found["brier"].value <= 1
    assert sum(one["n"] for one in found["bins"]) == len(p)


@given(arrays(float, 12, elements=st.sampled_from([0.5, 0.6, 0.9])), arrays(bool, 12))
def test_risk_coverage_by_brute_force(confidence, wrong):
    """Ties are answered in no order: the mean over all orders, here over many random ones."""
    found = decisions.risk_coverage(confidence, wrong)
    by_level = [wrong[confidence == c] for c in (0.9, 0.6, 0.5)]
    expected = np.concatenate([np.full(len(x), x.mean() if len(x) else 0) for x in by_level])
    assert found.aurc == pytest.approx((np.cumsum(expected) / np.arange(1, 13)).mean())
    assert found.points[-1] == (1.0, pytest.approx(wrong.mean()))
    assert found.best <= found.aurc + 1e-12
    assert found.chance == pytest.approx(wrong.mean())


def test_net_benefit_by_hand():
    p = np.array([0.9] * 30 + [0.3] * 30 + [0.05] * 40)
    y = np.array([1.0] * 20 + [0.0] * 10 + [1.0] * 10 + [0.0] * 60)
    found = decisions.net_benefit(p, y, None, 200, 0, (0.2, 0.5))
    assert found[0]["net_benefit"].value == pytest.approx(0.30 - 0.30 * 0.25)
    assert found[1]["net_benefit"].value == pytest.approx(0.20 - 0.10)
    assert found[0]["refer_all"] == pytest.approx(0.30 - 0.70 * 0.25)
    assert found[1]["referred"] == pytest.approx(0.3)
    assert found[0]["net_benefit"].low < 0.225 < found[0]["net_benefit"].high


def test_predictive_values_are_bayes_rule():
    said = np.array([True] * 80 + [False] * 20 + [True] * 10 + [False] * 90)
    y = np.array([True] * 100 + [False] * 100)
    found = decisions.predictive_values(said, y, None, 200, 0, (0.5, 0.01))
    assert found[0]["ppv"].value == pytest.approx(80 / 90)
    assert found[0]["npv"].value == pytest.approx(90 / 110)
    assert found[1]["ppv"].value == pytest.approx(0.01 * 0.8 / (0.01 * 0.8 + 0.99 * 0.1))
    assert found[1]["npv"].low > 0.99


def test_the_gate_asks_for_the_lower_bound():
    assert decisions.gate(Interval(0.95, 0.91, 0.98))["verdict"] == "passed"
    assert decisions.gate(Interval(0.95, 0.85, 0.98))["verdict"] == "not shown"
    assert decisions.gate(Interval(0.85, 0.8, 0.95))["verdict"] == "failed"
    assert decisions.gate(Interval(1.0, np.nan, np.nan))["verdict"] == "not shown"


def test_no_interval_under_five_positives():
    p, y = np.linspace(0.1, 0.9, 50)[:, None], np.zeros((50, 1))
    y[-4:] = 1
    found = calibration.summary(p, y, None, 200, 0)
    assert np.isnan(found["brier"].low)
    assert np.isnan(found["slope"].low)
    assert np.isnan(decisions.net_benefit(p[:, 0], y[:, 0], None, 200, 0)[0]["net_benefit"].low)
    y[-5:] = 1
    assert not np.isnan(calibration.summary(p, y, None, 200, 0)["brier"].low)


def test_the_interval_of_the_brier_score_is_by_group():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 20)
    p = np.repeat(rng.uniform(0.05, 0.95, 30), 20)[:, None]
    y = np.repeat(rng.random(30) < 0.5, 20).astype(float)[:, None]
    widths = [(lambda b: b.high - b.low)(calibration.summary(p, y, g, 500, 0)["brier"]) for g in (None, groups)]
    assert widths[1] > 2.5 * widths[0]
