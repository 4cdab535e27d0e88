"""The pathway's two protocols."""

from __future__ import annotations

import numpy as np

from mentalglm.evaluate import score, spaces, spans
from mentalglm.evaluate.answers import Said, bits
from mentalglm.evaluate.pair import MISSING, Gold, Problems, assemble, matrix

SPACE = spaces.load("cognitive_pathway")
BIT = bits(SPACE)


def post(*sentences: tuple[int, int, str]) -> Said:
    found = tuple((a, b, BIT[label] if label else 0) for a, b, label in sentences)
    mask = 0
    for *_, m in found:
        mask |= m
    return Said(mask, sentences=found)


def pair_of(gold: list[Said], said: list[Said | None]):
    g = Gold(SPACE, [f"p{n}" for n in range(len(gold))], matrix([s.mask for s in gold], SPACE), None, gold, Problems())
    status = np.array([MISSING if s is None else 0 for s in said], np.int8)
    return g, assemble("a", list(said), status, SPACE, Problems())


def f1(unfolded, name="micro_f1") -> float:
    gold, system = unfolded
    return score.values(SPACE, gold.labels, system.labels, system.failed)[name]


GOLD = [post((0, 5, "event.life"), (5, 9, ""), (9, 14, "belief.blame"))]


def test_labelled_spans_do_not_see_what_is_said_elsewhere_and_all_sentences_do():
    said = post((0, 5, "event.life"), (5, 9, "belief.labeling"), (9, 14, "belief.blame"))
    g, s = pair_of(GOLD, [said])
    labelled, every = spans.unfold(g, s), spans.unfold(g, s, unlabelled=True)
    assert labelled is not None
    assert every is not None
    assert (len(labelled[0].ids), len(every[0].ids)) == (2, 3)
    assert f1(labelled) == 1
    assert f1(every) == 0.8  # 4 right, 2 too many
    assert score.values(SPACE, g.labels, s.labels)["micro_f1"] == 8 / 9  # whole posts: `belief` is right there


def test_a_sentence_cut_otherwise_answers_for_what_it_lies_on():
    g, s = pair_of(GOLD, [post((0, 9, "event.life"), (9, 11, "belief.blame"), (11, 14, "belief.labeling"))])
    unfolded = spans.unfold(g, s)
    assert unfolded is not None
    assert f1(unfolded) == 8 / 9
    touching = spans.unfold(*pair_of(GOLD, [post((0, 2, "event.life"), (5, 9, "event.life"))]))
    assert touching is not None
    assert touching[1].labels[1].sum() == 0  # 5:9 ends where 9:14 begins


def test_a_sentence_that_only_reaches_in_does_not_answer():
    unfolded = spans.unfold(*pair_of(GOLD, [post((0, 5, ""), (5, 11, "event.life"), (11, 14, "belief.blame"))]))
    assert unfolded is not None
    assert unfolded[1].labels[1].sum() == 2  # 5:11 has two characters of 9:14 in common, under a half of either
    assert f1(unfolded) == 2 / 3


def test_a_post_without_an_answer_fails_in_each_sentence_and_groups_are_posts():
    g, s = pair_of(GOLD * 3, [GOLD[0], None, GOLD[0]])
    unfolded = spans.unfold(g, s)
    assert unfolded is not None
    assert unfolded[1].failed.tolist() == [False, False, True, True, False, False]
    assert unfolded[0].groups is not None
    assert unfolded[0].groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert f1(unfolded) == 0.8


def test_gold_or_answers_without_sentences_have_whole_posts_only():
    g, s = pair_of(GOLD, [Said(GOLD[0].mask)])
    assert spans.unfold(g, s) is None
    g, s = pair_of([Said(GOLD[0].mask)], [GOLD[0]])
    assert spans.unfold(g, s) is None
