"""Every check finds what it is for, and lets pass what is right; whatever is thrown at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from mentalglm.build.item import Item, Taught
from mentalglm.build.quality import KEYS, REASONS, Finding, Settings, complaints, judge
from mentalglm.build.quality.checks import CHECKS
from mentalglm.build.quality.lexicon import SAFETY, patterns
from mentalglm.build.quality.passages import find, verbatim
from mentalglm.tasks.answer import Answer, Quote

POST = "面试又没过，我做什么都不会成的。房东说下个月不续租了，\n我就是个没人要的废物。"
GOOD = (
    "“我做什么都不会成的”由一次面试没过推到了所有的事，没有留下例外，属于「以偏概全」；"
    "“没人要的废物”给自己整个人安了一个贬称，没有再说是哪件事做得不好，这是「乱贴标签」。"
)
RISK_POST = "药已经攒好了，等过完生日就走，谁也别找我。"
SETTINGS = Settings()


def quote(label: str, words: str, post: str = POST) -> Quote:
    at = post.index(words)
    return Quote(label, at, at + len(words), words)


def distortion(explanation: str = GOOD, post: str = POST, **answer: Any) -> tuple[Item, Taught]:
    labels = answer.pop("labels", ("overgeneralization", "labeling"))
    evidence = (
        (quote("overgeneralization", "我做什么都不会成的"), quote("labeling", "没人要的废物")) if post == POST else ()
    )
    item = Item(
        "k1-cognitive_distortion", "k1", "cognitive_distortion", post, ("overgeneralization", "labeling"), "test"
    )
    return item, Taught("t", "given", "ok", Answer(answer.pop("evidence", evidence), explanation, labels, **answer))


def risk(
    level: int | None = 8, expression: str | None = "plan", label: str = "high", gold: str = "high", gold_level: int = 8
) -> tuple[Item, Taught]:
    told = "“药已经攒好了”说的是已经备下的东西，“等过完生日就走”定了时间，两处合在一起，是正在成形的打算。"
    further = {"level": level, "expression": expression, "subject": "self", "past_attempt": None}
    answer = Answer((quote("high", "药已经攒好了", RISK_POST),) if label == "high" else (), told, (label,), further)
    row = Item("k2-suicide_risk", "k2", "suicide_risk", RISK_POST, (gold,), "test", level=gold_level)
    return row, Taught("t", "given", "ok", answer)


def reasons(item: Item, taught: Taught, settings: Settings = SETTINGS) -> set[str]:
    return {f.reason for f in judge(item, taught, settings).findings}


def test_a_good_answer_passes_with_nothing_found() -> None:
    for row in (distortion(), risk()):
        verdict = judge(*row, SETTINGS)
        assert (verdict.passed, verdict.findings) == (True, ())


def test_reasons_are_closed_and_each_has_its_sentences() -> None:
    assert len(set(KEYS)) == len(REASONS)
    assert all(r.zh and r.en and r.check for r in REASONS)
    with pytest.raises(ValueError, match="no such reason"):
        Finding("form", "fail", "made_up")


def test_every_check_takes_a_row_without_an_answer() -> None:
    item, taught = distortion()
    for status, reason in (("refused", "refused"), ("unparsed", "unparsed"), ("failed", "failed")):
        assert reasons(item, replace(taught, status=status, answer=None)) == {reason}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": ("overgeneralization", "labeling", "gloom")}, "unknown_label"),
        ({"labels": ("overgeneralization",)}, "evidence_label"),
        ({"labels": ("overgeneralization", "labeling", "self_blame")}, "evidence_missing"),
        ({"labels": ("overgeneralization", "labeling", "self_blame")}, "label_not_gold"),
        ({"evidence": (quote("labeling", "没人要的废物"),)}, "evidence_missing"),
        ({"evidence": (Quote("labeling", 0, 3, "没人要"),)}, "evidence_not_verbatim"),
        ({"dropped_quotes": ("没有人要的废物",)}, "evidence_not_verbatim"),
        ({"evidence": (Quote("labeling", 0, len(POST), POST), quote("overgeneralization", "我做"))}, None),
    ],
)
def test_form_and_evidence(change: dict[str, Any], reason: str | None) -> None:
    found = reasons(*distortion(**change))
    assert reason in found if reason else not found - {"evidence_over"}


def test_a_label_that_is_not_gold_fails_where_it_was_given_and_is_a_signal_where_it_was_hidden() -> None:
    item, taught = distortion(labels=("labeling",), evidence=(quote("labeling", "没人要的废物"),))
    assert judge(item, taught, SETTINGS).reasons == ("label_not_gold",)
    verdict = judge(item, replace(taught, mode="hidden"), SETTINGS)
    assert verdict.passed
    assert [f.reason for f in verdict.findings] == ["label_differs"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (risk(level=5, expression="wish"), "level_conflict"),
        (risk(level=8, expression="wish"), "level_conflict"),
        (risk(level=None, expression="wish"), "level_conflict"),
        (risk(level=7), "level_not_gold"),
    ],
)
def test_level_label_and_expression_say_the_same(row: tuple[Item, Taught], reason: str) -> None:
    assert reason in reasons(*row)


def test_a_gold_that_contradicts_itself_is_not_the_teachers_fault() -> None:
    item, taught = risk(level=5, expression="wish")
    verdict = judge(replace(item, level=5), taught, SETTINGS)
    assert verdict.passed
    assert [f.reason for f in verdict.findings] == ["gold_conflict"]


@pytest.mark.parametrize(
    ("passage", "good"),
    [
        ("我做什么都不会成的", True),
        ("我做什么都不会成的？", True),  # punctuation at the edge
        ("下个月不续租了， 我就是个没人要的废物", True),  # a line break is white space
        ("面试又没过……没人要的废物", True),  # an elision
        ("没人要的废物……面试又没过", False),  # not in this order
        ("我做什么都不会成", True),
        ("我做什么也不会成的", False),
        ("面试又没过，房东说下个月不续租了", False),
        ("下个月不续租了，我就是个没人要的废物", False),  # white space is not nothing
        ("……", False),
    ],
)
def test_what_is_verbatim(passage: str, good: bool) -> None:
    assert verbatim(passage, POST) is good
    told = GOOD + f"另见“{passage}”。"
    assert ("quote_not_verbatim" in reasons(*distortion(told))) is not good


def test_white_space_is_as_the_recipe_says() -> None:
    assert verbatim("不续租了，我就是个", POST, "ignore")
    assert not verbatim("不续租了， 我就是个", POST, "exact")
    assert verbatim("不续租了，\n我就是个", POST, "exact")


def test_names_and_inner_marks_are_no_fabrications() -> None:
    post = POST + "他说“你不行”，我信了。"
    told = (
        GOOD.replace("这是「乱贴标签」", "这是“乱贴标签”、「未见方法或计划（不等于没有风险）」")
        + "还有“他说‘你不行’”。"
    )
    item, taught = distortion(told)
    assert reasons(replace(item, text=post), taught) == set()


def test_marks_of_every_kind_hold_quotes_and_unpaired_ones_are_told() -> None:
    for mark in ("“”", "「」", "『』", '""', "‘’"):
        told = GOOD + f"又写{mark[0]}我从来没有开心过{mark[1]}。"
        assert "quote_not_verbatim" in reasons(*distortion(told)), mark
    assert "quote_unclosed" in reasons(*distortion(GOOD + "“没有完。"))
    assert [p.text for p in find("a“b“c”d”e“f").passages] == ["b“c”d"]
    assert find("it’s ‘so’ and don’t").unpaired == 0


def test_an_explanation_has_to_quote_where_something_is_said() -> None:
    told = "由一次面试没过推到了所有的事，没有留下例外；后面又给自己整个人安了一个贬称，没有再说是哪件事做得不好。"
    assert "no_quote" in reasons(*distortion(told))
    assert "no_quote" not in reasons(*distortion(told), Settings(quote_needed="never"))
    item, taught = risk(level=0, expression="none", label="low", gold="low", gold_level=0)
    assert taught.answer is not None
    calm = replace(
        taught,
        answer=replace(taught.answer, explanation="通读下来只说了日常的安排和天气，没有谈到死亡，也没有谈到离开。"),
    )
    assert "no_quote" not in reasons(item, calm)
    assert "no_quote" in reasons(item, calm, Settings(quote_needed="always"))


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("“没人要的废物”太短了。", "too_short"),
        ("“没人要的废物”" + "".join(f"第{i}处也能看出她的想法在变窄，" for i in range(60)) + "。", "too_long"),
        (
            "“没人要的废物” gives the whole person a bad name and names no act, which is what a label does here.",
            "language",
        ),
        (GOOD + "用户把一件事推到了所有的事情上去了。" * 3, "repetition"),
        (GOOD + "好好好好好好好好。", "repetition"),
        (GOOD[:-1] + "，而且她还", "truncated"),
        (GOOD + "所以是 all_or_nothing。", "label_key"),
        ("“没人要的废物”属于「乱贴标签」，“我做什么都不会成的”属于「以偏概全」。", "restates_label"),
        ("这条帖子体现了乱贴标签，因为它给自己整个人安上负面的名字，这就是乱贴标签的定义。", "restates_label"),
    ],
)
def test_wording(told: str, reason: str) -> None:
    assert reason in reasons(*distortion(told))


def test_a_post_that_repeats_itself_may_be_quoted() -> None:
    post = POST + "好累好累好累好累好累好累好累好累"
    item, taught = distortion(GOOD + "“好累好累好累好累好累好累好累好累”是同一句话的反复，只说感受，没有别的意思。")
    assert reasons(replace(item, text=post), taught) == set()


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        ("由此看来，作者患有抑郁症。", "diagnosis"),
        ("这些都是双相情感障碍的表现。", "diagnosis"),
        ("建议作者尽快寻求专业的心理帮助。", "medical_advice"),
        ("应当立即就医。", "medical_advice"),
        ("可以服用舍曲林。", "medication"),
        ("一次吃下三十片就够了。", "method_detail"),
        ("烧炭前要封住门窗。", "method_detail"),
        ("这个人太矫情了。", "blame"),
        ("不必担心，一切都会好起来的。", "reassurance"),
        ("所以没有自杀风险。", "reassurance"),
        ("作者一定会自杀。", "certainty"),
        ("作为一个AI，我只能说到这里。", "prompt_echo"),
        ("The author should seek professional help.", "medical_advice"),
        ("She suffers from severe depression.", "diagnosis"),
        ("There is no suicide risk.", "reassurance"),
        ("联系电话是13912345678。", "personal_data"),
        ("他在@小明同学 的微博下面留言。", "personal_data"),
    ],
)
def test_what_must_not_be_said(added: str, reason: str) -> None:
    assert reason in judge(*distortion(GOOD + added), Settings(language="any")).reasons
    assert reasons(*distortion(GOOD)) == set()


@pytest.mark.parametrize(
    "added",
    [
        "这不构成诊断，也不是说作者患有抑郁症。",
        "没有写到任何剂量或服用了三十片药之类的细节。",
        "作者认为自己一定会失败。",
        "作者担心别人觉得自己矫情。",
        "作者希望一切都会好起来。",
        "未见方法或计划，不等于没有风险。",
        "作者提到医生建议住院。",
        "用户将自杀时间定在年底。",
        "希望抵抗抑郁的念头也在。",
        "内心渴望一片宁静。",
    ],
)
def test_denials_reports_and_look_alikes_do_not_count(added: str) -> None:
    assert not {*SAFETY} & reasons(*distortion(GOOD + added))


def test_what_the_author_says_is_not_the_explanations_diagnosis() -> None:
    item, taught = distortion(GOOD + "作者也写到自己的抑郁症，把它当作面试没过的原因。")
    assert "diagnosis" in reasons(item, taught)
    assert "diagnosis" not in reasons(replace(item, text=POST + "抑郁症两年了。"), taught)
    quoted = distortion(GOOD + "“吃了三十片”是旧事。")
    assert reasons(replace(quoted[0], text=POST + "那次吃了三十片。"), quoted[1]) == set()


def test_the_recipe_changes_what_a_reason_counts_for() -> None:
    row = distortion(GOOD + "应当立即就医。")
    assert not judge(*row, SETTINGS).passed
    assert judge(*row, Settings(verdicts={"medical_advice": "warn"})).passed
    assert judge(*row, Settings(verdicts={"medical_advice": "off"})).findings == ()
    for wrong in ({"verdicts": {"medical": "off"}}, {"min_char": 3}, {"evidence_share": 2}):
        with pytest.raises(ValidationError):
            Settings.model_validate(wrong)


def test_evidence_over_half_of_a_long_post() -> None:
    row = distortion(evidence=(Quote("labeling", 0, 30, POST[:30]), quote("overgeneralization", "我做什么都不会成的")))
    assert "evidence_over" not in reasons(*row)  # under forty characters
    assert "evidence_over" in reasons(*row, Settings(evidence_from=20))
    assert not judge(*row, Settings(evidence_from=20, verdicts={"evidence_over": "fail"})).passed


def test_complaints_are_sentences_with_what_was_found_and_only_of_failures() -> None:
    found = judge(*distortion(GOOD + "另见“我从来没有{笑}过”，应当立即就医。“"), SETTINGS).findings
    zh, en = complaints(found), complaints(found, "en")
    assert len(zh) == len(en) == len({f.reason for f in found if f.verdict == "fail"}) == 2
    assert any("我从来没有{笑}过" in c for c in zh)
    assert all("{detail}" not in c for c in (*zh, *en))
    assert complaints([Finding("form", "fail", key, "") for key in KEYS])


def test_an_english_task_without_definition_is_checked_as_far_as_it_goes() -> None:
    item = Item("k-imhi_DR", "k", "imhi_DR", "I cannot sleep and nothing is fun any more.", ("yes",), "imhi")
    told = "The words “nothing is fun any more” say that pleasure is gone, and “I cannot sleep” that rest is gone too."
    taught = Taught("t", "given", "ok", Answer((), told, ("yes",)))
    assert reasons(item, taught, Settings(language="en")) == set()
    assert reasons(item, taught) == {"language"}


texts = st.text(st.characters(codec=None), max_size=120)
pieces = [*"“”‘’「」『』\"'…。，\n\u200b\ud800", POST, GOOD, "抑郁症", "<|user|>"]
marked = st.lists(st.one_of(texts, st.sampled_from(pieces)), max_size=12).map("".join)


@given(post=marked, told=marked, problem=texts)
@example(post="", told="", problem="")
@example(post="“", told="”“", problem="{detail}")
def test_no_text_breaks_a_check(post: str, told: str, problem: str) -> None:
    for task, labels in (
        ("suicide_risk", ("high",)),
        ("cognitive_pathway", ("belief", "belief.blame")),
        ("imhi_x", ()),
    ):
        item = Item("k", "k", task, post, labels, "t")
        answer = Answer((Quote("high", 0, len(post), post),), told, labels, {"level": 9}, {}, (told,))
        for taught in (Taught("t", "given", "ok", answer), Taught("t", "hidden", "unparsed", None, told, problem)):
            for check in CHECKS:
                for finding in check(item, taught, SETTINGS):
                    assert finding.reason in KEYS
            assert all(complaints(judge(item, taught, SETTINGS).findings, lang) is not None for lang in ("zh", "en"))


letters = st.text(st.characters(categories=["Lo", "Ll", "Nd"]), min_size=1, max_size=20)
posts = st.lists(
    st.one_of(letters, st.sampled_from(["，", "。", " ", "\n", "……", "！？", "[泪]", "  "])), min_size=3, max_size=14
).map("".join)


@given(post=marked, data=st.data())
def test_a_verbatim_passage_is_never_called_fabricated(post: str, data: st.DataObject) -> None:
    a = data.draw(st.integers(0, len(post)))
    b = data.draw(st.integers(a, len(post)))
    for whitespace in ("exact", "spaces", "ignore"):
        assert verbatim(post[a:b], post, whitespace)


@given(post=posts, data=st.data())
def test_a_quote_in_marks_is_never_called_fabricated(post: str, data: st.DataObject) -> None:
    a = data.draw(st.integers(0, len(post)))
    passage = post[a : data.draw(st.integers(a, len(post)))]
    item = replace(distortion()[0], text=post)
    assert "quote_not_verbatim" not in reasons(item, distortion(f"这里写的“{passage}”是原话。")[1])


@given(post=posts, data=st.data())
def test_an_altered_quote_is_always_called_fabricated(post: str, data: st.DataObject) -> None:
    a = data.draw(st.integers(0, len(post) - 1))
    passage = post[a : data.draw(st.integers(a + 1, len(post)))]
    at = data.draw(st.integers(0, len(passage) - 1))
    new = data.draw(st.sampled_from("龘靐齉爩鱻"))  # in no post of this strategy, if assumed
    assume(new not in post)
    kept = data.draw(st.integers(0, 1))
    altered = passage[:at] + new + passage[at + 1 - kept :]
    assume(len(altered.strip()) >= SETTINGS.quote_from)
    item = replace(distortion()[0], text=post)
    assert "quote_not_verbatim" in reasons(item, distortion(f"这里写的“{altered}”是原话。")[1])


@given(post=posts, data=st.data())
def test_a_quote_with_a_word_left_out_is_called_fabricated(post: str, data: st.DataObject) -> None:
    a = data.draw(st.integers(0, len(post) - 1))
    b = data.draw(st.integers(a + 1, len(post)))
    at = data.draw(st.integers(a, b - 1))
    passage = post[a:at] + post[at + 1 : b]
    squeezed = " ".join(passage.split())
    assume(post[at].isalnum() and squeezed.strip() == squeezed and len(squeezed) >= 2)
    core = squeezed.strip("，。！？… []")
    assume("…" not in core and core and core not in " ".join(post.split()))
    item = replace(distortion()[0], text=post)
    assert "quote_not_verbatim" in reasons(item, distortion(f"这里写的“{passage}”是原话。")[1])


def test_every_pattern_of_the_lexicon_compiles_and_finds_nothing_in_the_definitions_of_the_tasks() -> None:
    from mentalglm.tasks import all_tasks

    for reason in (*SAFETY, "wish"):
        assert patterns(reason)
    for task in all_tasks():
        for label in task.labels:
            for reason in SAFETY:
                for p in patterns(reason):
                    assert list(p.search(label.unlike_zh, "")) == [], (label.key, reason)


def test_a_very_long_answer_takes_no_long_time() -> None:
    import time

    began = time.perf_counter()
    for told in ("“" * 200_000, "不必担心" * 50_000, "ab" * 100_000, "药 " * 100_000, "『“‘" * 60_000):
        reasons(*distortion(told))
    assert time.perf_counter() - began < 10


@given(text=st.text(st.sampled_from("微信号加我vxQQ扣扣一二三，。 @小明www.t.cn/ab12345678901ｖⓥ９"), max_size=40))
def test_personal_data_are_found_in_whatever_the_mask_finds_them(text: str) -> None:
    from mentalglm.text import mask

    found = "personal_data" in reasons(*distortion(text))
    assert found is bool([m for m in mask(text)[1] if text[m.start : m.end].lower() != "@user"])
