"""`tasks`: the definitions are whole, and the keys are those of the design."""

from __future__ import annotations

import pytest

from mentalglm.errors import UserError
from mentalglm.schema import EXPRESSIONS, SUBJECTS
from mentalglm.tasks import NAMES, all_tasks, load

DISTORTIONS = [
    *("all_or_nothing", "overgeneralization", "mental_filter", "disqualifying_the_positive"),
    *("mind_reading", "fortune_telling", "magnification", "emotional_reasoning"),
    *("should_statements", "labeling", "self_blame", "other_blame"),
]
PATHWAY = {
    "event": "illness relationships life study_work emotion",
    "belief": "all_or_nothing overgeneralization mental_filter disqualifying_the_positive jumping_to_conclusions "
    "magnification_minimization emotional_reasoning should_statements labeling blame",
    "consequence": "emotional behavioral",
    "disputation": "habitual effective",
}


def test_the_series_has_three_tasks_in_order():
    assert [task.name for task in all_tasks()] == list(NAMES)
    assert [task.kind for task in all_tasks()] == ["single", "multi", "sentence"]


def test_keys_stand_in_the_published_order():
    assert load("suicide_risk").keys == ("low", "high")
    assert list(load("cognitive_distortion").keys) == DISTORTIONS
    children = [f"{parent}.{child}" for parent, names in PATHWAY.items() for child in names.split()]
    pathway = load("cognitive_pathway")
    assert list(pathway.leaves) == children
    assert set(pathway.keys) == set(children) | set(PATHWAY)
    assert all(pathway.parent(key) == key.split(".")[0] for key in children)
    assert all(pathway.keys.index(pathway.parent(key) or "") < pathway.keys.index(key) for key in children)


def test_further_outputs_are_those_of_the_schema():
    risk = load("suicide_risk")
    assert [gloss.key for gloss in risk.levels] == [str(n) for n in range(11)]
    assert tuple(gloss.key for gloss in risk.expressions) == EXPRESSIONS
    assert tuple(gloss.key for gloss in risk.subjects) == SUBJECTS


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_everything_is_said_in_both_languages(task):
    for label in task.labels:
        assert label.key.replace(".", "").replace("_", "").isascii()
        assert label.zh != label.en
        assert len(label.definition_zh) >= 12
        assert len(label.definition_en) >= 25
        assert bool(label.unlike_zh) == bool(label.unlike_en)
        assert any("\u4e00" <= ch <= "\u9fff" for ch in label.zh + label.definition_zh)
        assert not any("\u4e00" <= ch <= "\u9fff" for ch in label.en + label.definition_en + label.unlike_en)
    assert task.question_zh
    assert task.question_en
    assert task.source


def test_display_names_that_are_easily_got_wrong():
    assert load("cognitive_distortion").label("self_blame").name("zh") == "罪责归己"
    assert load("cognitive_distortion").label("self_blame").name("en") == "personalization (self-blame)"
    assert load("cognitive_pathway").label("belief").name("zh") == "认知歪曲"
    assert "恋爱" in load("cognitive_pathway").label("event.emotion").definition("zh")
    assert "不等于没有风险" in load("suicide_risk").about_zh


def test_an_unknown_task_says_which_there_are():
    with pytest.raises(UserError, match="did you mean suicide_risk") as error:
        load("suicide-risk")
    assert all(name in str(error.value) for name in NAMES)


def test_an_unknown_label_is_a_bug():
    with pytest.raises(KeyError):
        load("suicide_risk").label("medium")
