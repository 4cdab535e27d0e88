"""A language model's answer: written and read back, quotes looked up, role tokens inert."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.tasks import NAMES, load
from mentalglm.tasks.answer import (
    PARENTS,
    Answer,
    Quote,
    Unparsed,
    inert,
    instruction,
    locate,
    parse,
    render,
    schema,
    with_parents,
    write,
)

MARKS = (
    "<|assistant|>",
    "<|user|>",
    "[gMASK]",
    "<sop>",
    "</s>",
    "<<SYS>>",
    "[/INST]",
    "<think>",
    "[gmask]",
    "<|IM_END|>",
)
texts = st.text(max_size=60) | st.lists(st.sampled_from([*MARKS, "我", "死", "“", "{", "<", "["]), max_size=20).map(
    "".join
)


@given(texts)
def test_no_role_token_is_left_and_offsets_hold(text: str) -> None:
    shown = inert(text)
    assert len(shown) == len(text)
    assert not any(mark.lower() in shown.lower() for mark in MARKS)
    assert inert(shown) == shown
    assert all(a == b or (a, b) in (("<", "＜"), ("[", "［")) for a, b in zip(text, shown, strict=True))


@given(texts, st.data())
def test_what_is_written_is_read_back(post: str, data: st.DataObject) -> None:
    task = load("suicide_risk")
    quotes = []
    if post:
        start = data.draw(st.integers(0, len(post) - 1))
        end = data.draw(st.integers(start + 1, len(post)))
        if post[start:end].strip() and locate(post[start:end], post) == (start, end):
            quotes.append(Quote("high", start, end, post[start:end]))
    further = {"level": 7, "expression": "plan", "subject": "self", "past_attempt": None}
    given_ = Answer(tuple(quotes), "因为写到了计划。", ("high",), further)
    raw = write(task, given_)
    assert list(json.loads(raw))[:3] == ["evidence", "explanation", "labels"]
    found = parse(task, raw, post)
    assert (found.labels, found.further, found.explanation) == (("high",), further, "因为写到了计划。")
    assert found.evidence == tuple(quotes)
    assert not found.dropped_quotes


def test_a_quote_that_is_not_there_is_dropped_and_counted() -> None:
    raw = json.dumps({"evidence": [{"label": "high", "quote": "没有这句"}], "explanation": "x", "labels": ["high"]})
    found = parse(load("suicide_risk"), raw, "有那句")
    assert found.evidence == ()
    assert found.dropped_quotes == ("没有这句",)


def test_a_repeated_quote_means_its_first_place_and_an_inert_one_is_found() -> None:
    assert locate("好累", "我好累，真的好累") == (1, 3)
    post = "他说<|user|>你去死"
    assert locate("<|user|>你去死", post) == locate("＜|user|>你去死", post) == (2, 13)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", "no JSON"),
        ("抱歉，我不能。", "no JSON"),
        ('{"labels": ["high"]}', "explanation"),
        ('{"labels": ["high", "low"], "explanation": "x", "evidence": []}', "2 labels"),
        ('{"labels": ["sure"], "explanation": "x", "evidence": []}', "unknown label"),
        ('{"labels": ["low"], "explanation": "x", "evidence": {}}', "no list"),
        ('{"labels": ["low"], "explanation": "x", "evidence": [], "level": 11}', "level"),
        ('{"labels": ["low"], "explanation": "x", "evidence": [], "level": true}', "level"),
        ('{"labels": ["low"], "explanation": "x", "evidence": [], "subject": "me"}', "subject"),
        ('{"labels": "low", "explanation": "x", "evidence": []}', "no list"),
    ],
)
def test_what_cannot_be_read_says_in_what(raw: str, said: str) -> None:
    with pytest.raises(Unparsed, match=said):
        parse(load("suicide_risk"), raw, "好")


def test_a_fence_and_thoughts_before_the_answer_are_passed_over() -> None:
    answer = '{"evidence": [], "explanation": "没有。", "labels": ["low"]}'
    raw = f'<think>maybe {{"labels": ["high"], "explanation": "?", "evidence": []}}</think>\n```json\n{answer}\n```'
    assert parse(load("suicide_risk"), raw, "好").labels == ("low",)


def test_a_child_brings_its_parent() -> None:
    assert with_parents(load("cognitive_pathway"), ["belief.labeling"]) == ("belief", "belief.labeling")


@given(st.text())
def test_no_answer_of_any_content_does_more_than_say_unparsed(raw: str) -> None:
    for name in NAMES:
        try:
            parse(load(name), raw, "一条帖子")
        except Unparsed:
            continue


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_names_every_label_and_holds_the_post_as_data(name: str) -> None:
    task = load(name)
    for lang in ("zh", "en"):
        shown = render(task, "一条<|assistant|>帖子", lang)
        assert shown.startswith(instruction(task, lang))
        assert shown.endswith("一条＜|assistant|>帖子")
        assert all(key in shown for key in task.keys)


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_takes_what_is_written(name: str) -> None:
    task = load(name)
    form = schema(task)
    raw = json.loads(write(task, Answer((), "说明。", task.keys[:1], {})))
    assert list(form["properties"]) == list(raw) == form["required"]
    asked = schema(task, summary=True)["properties"]
    assert ("summary" in asked) == (task.kind == "sentence")
    if "summary" in asked:
        assert asked["summary"]["required"] == list(PARENTS)
    assert schema(task, ["x"])["properties"]["labels"]["items"]["enum"] == ["x"]
