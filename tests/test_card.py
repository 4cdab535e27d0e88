from __future__ import annotations

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mentalglm.card import Cards
from mentalglm.resources import crisis
from mentalglm.schema import BadRow, Post, error_record

from .command import ROOT
from .fakes import FakeModel

POSTS = [Post(r["id"], r["text"]) for r in map(json.loads, (ROOT / "examples/posts.jsonl").open(encoding="utf-8"))]


def shown(*posts: Post, lang: str = "zh", width: int = 90, colour: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=colour, color_system="truecolor" if colour else None, markup=False
    )
    cards = Cards(lang, console)
    for post, record in zip(posts, FakeModel().analyze(posts, lang=lang), strict=True):
        cards.write(record, post)
    return file.getvalue()


def test_a_high_post_shows_words_level_and_help() -> None:
    card = shown(POSTS[3])
    for words in (
        "自杀风险  出现方法或计划",
        "94%",
        "9/10",
        "可能即将或正在发生",
        "110",
        "120",
        "12356",
        "仅供研究使用",
        "48%",
    ):
        assert words in card, words


def test_evidence_is_highlighted() -> None:
    card = shown(POSTS[3], colour=True)
    before = card.split("就定在这个周日")[0]
    assert before.rsplit("\x1b[", 1)[1].startswith("1;4;38;2;255;255;255;48;2;168;50;58m")


@pytest.mark.parametrize("number", [3, 5, 6], ids=["a wish", "a denial", "a third person"])
def test_help_stands_where_it_is_needed(number: int) -> None:
    assert "12356" in shown(POSTS[number - 1])


def test_help_does_not_stand_where_it_is_not() -> None:
    assert "12356" not in shown(POSTS[0])


def test_help_is_said_in_full_once_and_in_short_after() -> None:
    cards = shown(POSTS[3], POSTS[4])
    assert cards.count("如果你担心的是朋友") == 1
    assert cards.count("12356") == 2
    assert cards.count("仅供研究使用") == 1


def test_low_is_not_called_low_risk() -> None:
    card = shown(POSTS[0])
    assert "未见方法或计划（不等于没有风险）" in card
    assert "低风险" not in card


def test_not_sure_says_so() -> None:
    assert "不确定" in shown(POSTS[2])
    assert "倾向：" in shown(POSTS[2])


def test_in_english() -> None:
    card = shown(POSTS[3], lang="en")
    for words in ("Suicide risk", "method or plan", "soon or under way", "Research use only", "Police"):
        assert words in card


def test_a_row_that_failed() -> None:
    file = io.StringIO()
    cards = Cards("zh", Console(file=file, width=80))
    cards.write(error_record("7", "bad_json", "line 7 is no JSON object"), BadRow("7", 7, "bad_json", "line 7"))
    assert "没有分析：这一行不是 JSON 对象 (bad_json)" in file.getvalue()
    assert "line 7 is no JSON object" in file.getvalue(), "where it is"


@pytest.mark.parametrize(("lang", "words"), [("zh", "没有分析：正文是空白 (empty_text)"), ("en", "the text is blank")])
def test_a_failed_row_is_told_in_the_language_of_the_card(lang: str, words: str) -> None:
    file = io.StringIO()
    record = error_record("7", "empty_text", "nothing to read: the text is blank")
    Cards(lang, Console(file=file, width=80)).write(record, Post("7", " "))
    assert words in file.getvalue()
    assert ("blank" in file.getvalue()) == (lang == "en")


def test_a_failed_task_is_told_in_chinese() -> None:
    post, file = POSTS[3], io.StringIO()
    record = next(FakeModel().analyze([post]))
    record["analyses"]["cognitive_pathway"] = {"error": {"code": "model", "message": "out of memory"}}
    Cards("zh", Console(file=file, width=80)).write(record, post)
    assert "这项任务没有完成：模型处理这条帖子时出错" in file.getvalue()


PATHWAY = Post("x", "上个月分手了，我觉得以后不会再有人爱我，晚上一想起来就哭，什么都不想做，也不愿意见人。")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_pathways_percentage_stands_beside_its_label_and_its_sentence_below(lang: str) -> None:
    lines = [line.strip("│ ") for line in shown(PATHWAY, lang=lang, width=80).splitlines()]
    labels = [line for line in lines if " · " in line and line.endswith(" 81%")]
    assert len(labels) == 3
    assert lines[lines.index(labels[-1]) + 1].startswith("上个月分手了")


def test_evidence_of_a_parent_changes_no_card() -> None:
    def one(double: bool) -> str:
        record = next(FakeModel().analyze([PATHWAY]))
        found = record["analyses"]["cognitive_pathway"]["evidence"]
        found += [e | {"label": e["label"].split(".")[0]} for e in found] if double else []
        file = io.StringIO()
        Cards("zh", Console(file=file, width=80)).write(record, PATHWAY)
        return file.getvalue()

    assert one(False) == one(True)


@pytest.mark.parametrize("width", [30, 44, 60, 90, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    card = shown(*POSTS, width=width)
    assert max(cell_len(line) for line in card.splitlines()) <= width
    assert "…" not in card.replace("……", ""), "nothing is cut"
    for line in crisis("zh").lines:
        assert f" {line.number} " in card, "above all no number"


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.text(max_size=200))
def test_no_post_can_steer_the_terminal(text: str) -> None:
    card = shown(Post("[red]\x1b[31m", f"信写完了{text}\x1b]0;title\x07[bold]"))
    assert "\x1b" not in card
    assert "\x07" not in card
    assert "[bold]" in card.replace("\n", "") or len(text) > 20
