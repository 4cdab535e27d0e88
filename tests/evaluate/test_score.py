"""Scores: the same as scikit-learn's on random inputs; a failed prediction is a wrong one; the gold is perfect."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mentalglm.evaluate import score, spaces

sklearn = pytest.importorskip("sklearn.metrics")
MULTI, PATHWAY = spaces.load("cognitive_distortion"), spaces.load("cognitive_pathway")
few = settings(max_examples=40)  # scikit-learn takes its time
RISK, CAUSES = spaces.load("suicide_risk"), spaces.load("imhi_sad")


@st.composite
def two(draw, k: int):
    n = draw(st.integers(1, 15))
    return draw(arrays(bool, (n, k))), draw(arrays(bool, (n, k)))


@st.composite
def classes(draw, k: int):
    n = draw(st.integers(1, 40))
    one = arrays(int, n, elements=st.integers(0, k - 1))
    return draw(one), draw(one)


def hot(y: np.ndarray, k: int) -> np.ndarray:
    return np.eye(k, dtype=bool)[y]


def theirs(y, said, average, what="f1", **more) -> float:
    functions = {"f1": sklearn.f1_score, "precision": sklearn.precision_score, "recall": sklearn.recall_score}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(functions[what](y, said, average=average, **({"zero_division": 0} | more)))


@few
@given(two(12))
def test_several_labels_as_in_scikit_learn(pair):
    y, said = pair
    found = score.values(MULTI, y, said)
    for average in ("micro", "macro", "weighted"):
        for what in ("precision", "recall", "f1"):
            assert found[f"{average}_{what}"] == pytest.approx(theirs(y, said, average, what)), (average, what)
    assert found["samples_f1"] == pytest.approx(theirs(y, said, "samples", zero_division=1))
    assert found["exact_match"] == pytest.approx(sklearn.accuracy_score(y, said))


@few
@given(two(12))
def test_the_published_formula(pair):
    y, said = pair
    mean = np.mean([theirs(a.astype(int), b.astype(int), "macro") for a, b in zip(y, said, strict=True)])
    assert score.values(MULTI, y, said)["published_formula"] == pytest.approx(mean)


@few
@given(classes(2))
def test_two_classes_as_in_scikit_learn(pair):
    y, said = pair
    found = score.values(RISK, hot(y, 2), hot(said, 2))
    for what in ("precision", "recall", "f1"):
        assert found[what] == pytest.approx(theirs(y, said, "binary", what))
    assert found["specificity"] == pytest.approx(theirs(y, said, "binary", "recall", pos_label=0))
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(y, said))
    assert found["macro_f1"] == pytest.approx(theirs(y, said, "macro", labels=[0, 1]))


@few
@given(classes(9))
def test_one_of_several_classes_as_in_scikit_learn(pair):
    y, said = pair
    found = score.values(CAUSES, hot(y, 9), hot(said, 9))
    for average in ("micro", "macro", "weighted"):
        expected = theirs(y, said, average, labels=list(range(9)))
        assert found[f"{average}_f1"] == pytest.approx(expected)
    assert found["accuracy"] == found["micro_f1"] == pytest.approx(sklearn.accuracy_score(y, said))
    assert "f1" not in found  # there is no positive class


@few
@given(two(23))
def test_hierarchical_scores_are_those_of_the_closed_sets(pair):
    y, said = (PATHWAY.closed(x) for x in pair)
    found = score.values(PATHWAY, y, said)
    sets = [[{k for k, on in zip(PATHWAY.keys, row, strict=True) if on} for row in x] for x in (y, said)]
    both = sum(len(a & b) for a, b in zip(*sets, strict=True))
    gold, given_ = (sum(map(len, x)) for x in sets)
    assert found["hierarchical_precision"] == pytest.approx(both / given_ if given_ else 0)
    assert found["hierarchical_recall"] == pytest.approx(both / gold if gold else 0)
    child = [i for i, k in enumerate(PATHWAY.keys) if "." in k]
    assert found["child_micro_f1"] == pytest.approx(theirs(y[:, child], said[:, child], "micro"))
    assert found["parent_macro_f1"] == pytest.approx(theirs(y[:, [0, 6, 17, 20]], said[:, [0, 6, 17, 20]], "macro"))


def test_where_the_parents_stand():
    assert [PATHWAY.keys[i] for i in (0, 6, 17, 20)] == ["event", "belief", "consequence", "disputation"]


@few
@given(classes(2), st.data())
def test_a_failed_prediction_of_two_classes_is_the_wrong_class(pair, data):
    y, said = pair
    failed = data.draw(arrays(bool, len(y)))
    found = score.values(RISK, hot(y, 2), hot(said, 2), failed)
    wrong = np.where(failed, 1 - y, said)
    assert found["f1"] == pytest.approx(theirs(y, wrong, "binary"))
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(y, wrong))


@few
@given(classes(9), st.data())
def test_a_failed_prediction_of_several_classes_is_a_class_of_its_own(pair, data):
    y, said = pair
    failed = data.draw(arrays(bool, len(y)))
    found = score.values(CAUSES, hot(y, 9), hot(said, 9), failed)
    other = np.where(failed, 9, said)
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(y, other))
    assert found["micro_f1"] == pytest.approx(theirs(y, other, "micro", labels=list(range(10))))
    assert found["macro_f1"] == pytest.approx(theirs(y, other, "macro", labels=list(range(9))))


@given(two(12), st.data())
def test_failing_never_helps(pair, data):
    """A post that fails scores no more than any answer of the system that has nothing right."""
    y, said = pair
    failed = data.draw(arrays(bool, len(y)))
    empty = said & ~failed[:, None]
    found, silent = score.values(MULTI, y, said, failed), score.values(MULTI, y, empty)
    for name in ("micro_f1", "macro_f1", "samples_f1", "exact_match", "published_formula"):
        assert found[name] <= silent[name] + 1e-12
    for name in (
        "exact_match",
        "samples_f1",
        "published_formula",
    ):  # means over posts, of which failed ones give nought
        assert found[name] <= (~failed).mean() + 1e-12


@given(two(12))
def test_the_gold_is_perfect(pair):
    y, _ = pair
    found = score.values(MULTI, y, y)
    assert found["samples_f1"] == found["exact_match"] == found["published_formula"] == 1
    assert found["micro_f1"] == float(y.any())
    assert found["macro_f1"] == pytest.approx(y.any(0).mean())  # a class without gold counts as 0, as in scikit-learn
    assert found.get("macro_f1_present", 1) == 1


def test_every_pathway_child_brings_its_parent():
    only = np.zeros((1, 23), bool)
    only[0, PATHWAY.keys.index("belief.blame")] = True
    assert [k for k, on in zip(PATHWAY.keys, PATHWAY.closed(only)[0], strict=True) if on] == ["belief", "belief.blame"]


def test_the_english_label_spaces_are_those_of_their_reader():
    from mentalglm.sources import imhi

    assert {f"imhi_{name.lower()}" for name in imhi.SETS} == set(spaces.IMHI)
    for name in imhi.SETS:
        read = set(imhi._TABLES.get(name, imhi._YES_NO).values())
        assert set(spaces.IMHI[f"imhi_{name.lower()}"]) == read
