"""Pairs count as right only where both posts are, in everything that the pair is about."""

from __future__ import annotations

import numpy as np
import pytest

from mentalglm.models.mini.decide import COLUMNS, LEVEL, RISK, SUBJECT, SUBJECTS
from mentalglm.train.corpus import INVENTED_FOLDER, Example, contrast_validation
from mentalglm.train.pairs import MINIMAL, Answer, Reading, both_right, minimal, of_network

from .fakes import FakeModel

SELF, OTHER = Reading(True, True, True), Reading(False, False, False)


def answers(*said: Reading) -> list[Answer]:
    return [Answer("p", "denial", gold, s) for gold, s in zip((SELF, OTHER), said, strict=True)]


def test_the_gold_itself_is_perfect() -> None:
    found = both_right(answers(SELF, OTHER))
    assert (found["pairs"], found["both_right"], found["by_kind"], found["wrong"]) == (1, 1.0, {"denial": 1.0}, [])


@pytest.mark.parametrize("part", Reading._fields)
def test_one_wrong_part_of_one_post_is_a_wrong_pair(part: str) -> None:
    found = both_right(answers(SELF, OTHER._replace(**{part: True})))
    assert (found["both_right"], found["wrong"]) == (0.0, [1])
    assert found["posts_right"] == {name: 0.5 if name == part else 1.0 for name in Reading._fields}


def test_the_subject_counts_only_where_the_pair_turns_on_it() -> None:
    own = OTHER._replace(subject=True)
    pair = [Answer("p", "idiom", SELF, SELF), Answer("p", "idiom", own, OTHER)]
    assert both_right(pair)["both_right"] == 1.0


def test_what_is_not_known_is_not_asked() -> None:
    unclear = Reading(None, None, True)
    found = both_right([Answer("p", "x", unclear, SELF), Answer("p", "x", OTHER, OTHER)])
    assert found["both_right"] == 1.0
    assert found["posts_right"]["risk"] == 1.0


def logits(level: int, risk: float, subject: str) -> np.ndarray:
    z = np.full(COLUMNS, -5.0)
    z[RISK] = risk
    z[LEVEL] = np.where(np.arange(1, 11) <= level, 5.0, -5.0)
    z[SUBJECT][SUBJECTS.index(subject)] = 5.0
    return z


def test_the_network_is_read_as_the_model_reads_it() -> None:
    e = Example("k", "x", ["contrast"], level=7, subject=SUBJECTS.index("self"), family="denial_a-001")
    assert of_network(e, logits(7, 2.0, "self")) == Answer("denial_a-001", "denial", SELF, SELF)
    assert of_network(e, logits(4, -2.0, "none")).said == Reading(False, True, True)  # a wish is somebody's own
    assert of_network(e, logits(0, -2.0, "other")).said == OTHER


def test_kept_out_pairs_are_pairs() -> None:
    kept = contrast_validation(INVENTED_FOLDER)
    perfect = [
        of_network(
            e,
            logits(
                e.level if e.level is not None else 5, 1.0 if (e.level or 0) >= 6 else -1.0, SUBJECTS[e.subject or 0]
            ),
        )
        for e in kept
    ]
    found = both_right(perfect)
    assert found["pairs"] == len(kept) / 2 >= 200
    assert found["both_right"] == 1.0


def test_a_whole_model_on_the_minimal_pairs() -> None:
    found = minimal(FakeModel())
    assert found["pairs"] == sum(1 for _ in MINIMAL.open(encoding="utf-8")) / 2
    assert 0 <= found["both_right"] < 1
    assert len(found["wrong"]) > found["pairs"] * (1 - found["both_right"]) - 1
