from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm import display
from mentalglm.schema import ERROR_CODES, Post
from mentalglm.tasks import all_tasks

from .command import ROOT
from .fakes import FakeModel

POSTS = [Post(r["id"], r["text"]) for r in map(json.loads, (ROOT / "examples/posts.jsonl").open(encoding="utf-8"))]


def test_low_is_never_low_risk_and_no_tone_is_green() -> None:
    name = display.label_name("suicide_risk", "low")
    assert "不等于没有风险" in name.zh
    assert "not the same as no risk" in name.en
    assert display.tone("suicide_risk", "low") == "plain"


def test_every_label_has_names_in_both_languages() -> None:
    for task in all_tasks():
        for key in task.keys:
            name = display.label_name(task.name, key)
            assert name.zh
            assert name.en
            assert name.zh != name.en


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.id)
def test_pieces_are_the_whole_post(post: Post) -> None:
    record = next(FakeModel().analyze([post]))
    pieces = display.pieces(record, post.text)
    assert "".join(piece.text for piece in pieces) == post.text
    marked = {(mark.task, mark.label) for piece in pieces for mark in piece.marks}
    assert marked == {
        (name, e["label"])
        for name, a in record["analyses"].items()
        if name != "cognitive_pathway"
        for e in a["evidence"]
    }


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6))
def test_overlapping_evidence_is_cut_right(spans: list[tuple[int, int]]) -> None:
    text = "甲乙丙丁戊己庚辛壬癸子丑"
    evidence = [{"label": f"l{i}", "start": min(s), "end": max(s)} for i, s in enumerate(spans) if s[0] != s[1]]
    pieces = display.pieces({"analyses": {"suicide_risk": {"evidence": evidence}}}, text)
    assert "".join(piece.text for piece in pieces) == text
    at = 0
    for piece in pieces:
        inside = {e["label"] for e in evidence if e["start"] <= at and at + len(piece.text) <= e["end"]}
        assert {mark.label for mark in piece.marks} == inside
        at += len(piece.text)


@given(st.text())
def test_visible_keeps_the_length_and_steers_nothing(text: str) -> None:
    shown = display.visible(text)
    assert len(shown) == len(text)
    assert not set(shown) & set("\x1b\x00\x07\x9b\r\u202e\u2066\u200f\u2028\ud800")
    shown.encode()


def test_visible_leaves_chinese_and_emoji_alone() -> None:
    for text in ("今天，很好。\n明天", "👨‍👩‍👧 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🫨"):
        assert display.visible(text) == text


@pytest.mark.parametrize(
    ("p", "shown"),
    [(None, "–"), (0.0, "<1%"), (0.004, "<1%"), (0.016, "2%"), (0.94, "94%"), (0.999, ">99%"), (1.0, ">99%")],
)
def test_no_probability_is_shown_as_certain(p: float | None, shown: str) -> None:
    assert display.percent(p) == shown


def test_a_failed_task_is_shown_as_failed() -> None:
    record = {"analyses": {"suicide_risk": {"error": {"code": "model", "message": "broken\x1b[31m"}}}}
    view = display.views(record, "早安")[0]
    assert view.error == "model: broken␛[31m"
    assert view.headline.zh == "这项任务没有完成：模型处理这条帖子时出错"
    assert not view.labels


def test_probabilities_may_be_missing() -> None:
    record = next(FakeModel().analyze([POSTS[3]], tasks=["suicide_risk"]))
    record["analyses"]["suicide_risk"]["probabilities"] = None
    view = display.views(record, POSTS[3].text)[0]
    assert view.held[0].probability is None


def test_every_error_code_has_chinese_words() -> None:
    assert tuple(display.ERRORS) == ERROR_CODES
    words = display.error_words({"code": "empty_text", "message": "nothing to read"})
    assert (words.zh, words.en) == ("正文是空白", "nothing to read")
    assert display.error_words({"code": "of a later version", "message": "so"}).zh == "so"


def test_little_chinese_is_said_once() -> None:
    record = next(FakeModel().analyze([POSTS[3]])) | {"notes": ["windows", "not_chinese"]}
    notes = [[note.zh for note in view.notes] for view in display.views(record, POSTS[3].text)]
    assert notes[0] == ["长帖，分段读取", "中文很少：模型只为中文帖子测量过，拿不准"]
    assert not any("中文" in zh for rest in notes[1:] for zh in rest)


def test_a_long_post_read_in_windows_says_so_once() -> None:
    record = next(FakeModel().analyze([POSTS[3]])) | {"notes": ["windows"]}
    views = display.views(record, POSTS[3].text)
    assert [any("windows" in note.en for note in view.notes) for view in views] == [True, False, False]
