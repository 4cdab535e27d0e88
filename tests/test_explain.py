"""`explain`: varied, deterministic, and never more than the quoted words and the outputs carry. Invented posts only."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.explain import clauses, en, explain, zh
from mentalglm.explain.quotes import MAX_LENGTH, of_label, shorten
from mentalglm.schema import EXPRESSIONS, SUBJECTS
from mentalglm.tasks import load
from mentalglm.text import sentences

RISK, DISTORTION, PATHWAY = (load(n) for n in ("suicide_risk", "cognitive_distortion", "cognitive_pathway"))
LEVELS = {"none": 0, "pain": 2, "wish": 5, "plan": 7, "imminent": 9}
# Nothing that sounds like a diagnosis or like advice to the author.
FORBIDDEN = re.compile(
    r"抑郁症|焦虑症|患者|确诊|障碍|建议你|你应该|请拨打|热线|就医|disorder|patient|you should|diagnos"
)


def evidence(text: str, label: str, *quotes: str) -> list[dict]:
    return [{"label": label, "start": (a := text.index(q)), "end": a + len(q), "quote": q} for q in quotes]


def risk(text: str, label: str = "low", expression: str = "wish", quotes: tuple[str, ...] = (), **more) -> dict:
    p = more.pop("p", 0.12)
    return {
        "labels": [label],
        "probabilities": {"low": 1 - p, "high": p},
        "evidence": evidence(text, label, *quotes),
        "abstained": False,
        "level": LEVELS[expression],
        "expression": expression,
        "subject": "self",
        "past_attempt": False,
    } | more


def distortions(text: str, labels: dict[str, tuple[str, ...]], **more) -> dict:
    found = [e for label, quotes in labels.items() for e in evidence(text, label, *quotes)]
    p = {key: 0.83 if key in labels else 0.07 for key in DISTORTION.keys}
    return {"labels": list(labels), "probabilities": p, "evidence": found, "abstained": False} | more


def pathway(text: str, labels: list[list[str]], **more) -> dict:
    spans = [
        {"start": a, "end": b, "labels": ls, "probabilities": None}
        for (a, b), ls in zip(sentences(text), labels, strict=True)
    ]
    union = sorted({label for ls in labels for label in ls}, key=PATHWAY.keys.index)
    p = dict.fromkeys(PATHWAY.keys, 0.6)
    return {"labels": union, "probabilities": p, "evidence": [], "sentences": spans, "abstained": False} | more


def quoted(explanation: str) -> list[str]:
    return re.findall(r"“(.*?)”", explanation)


WISH = "每天都好累，真的不想活了。"
FOUR = "第三次面试还是没过。我这种人就是垃圾。整夜没睡。窗外下着雨。算了，不想了。"
FOUR_LABELS = [
    ["event", "event.study_work"],
    ["belief", "belief.labeling"],
    ["consequence", "consequence.behavioral"],
    [],
    ["disputation", "disputation.habitual"],
]


class TestRisk:
    def test_low_is_never_said_alone(self):
        said = explain(RISK, risk(WISH, quotes=("不想活了",)), WISH)
        assert "“不想活了”" in said
        assert "未见方法或计划（不等于没有风险）" in said
        assert "5 级" in said
        assert re.search(r"非临床评分|不是临床评分", said)
        assert "12%" in said
        assert "低风险" not in said

    def test_a_probability_says_what_it_holds_for(self):
        assert "48%" in explain(RISK, risk(WISH), WISH)
        corrected = explain(RISK, risk(WISH, prevalence=0.01), WISH)
        assert "1%" in corrected
        assert "48%" not in corrected

    def test_no_probability_no_number(self):
        said = explain(RISK, risk(WISH, probabilities=None), WISH)
        assert "概率" not in said

    def test_the_ends_of_the_scale_are_not_certain(self):
        assert "不到 1%" in explain(RISK, risk(WISH, p=0.0001), WISH)
        assert "99% 以上" in explain(RISK, risk(WISH, p=0.9999), WISH)

    def test_high_names_method_or_plan_and_not_more(self):
        text = "信都写好了，就在下周。"
        said = explain(RISK, risk(text, "high", "plan", ("信都写好了", "就在下周"), p=0.93), text)
        assert "高风险" in said
        assert "“信都写好了”和“就在下周”" in said
        assert "不等于没有风险" not in said

    def test_an_unsure_low_is_no_low(self):
        said = explain(RISK, risk(WISH, quotes=("不想活了",), abstained=True), WISH)
        assert "人" in said
        assert re.search(r"没有把握|拿不准|把握不够|不能确定|没有足够把握|不敢肯定", said)

    def test_outputs_that_disagree_are_said_to(self):
        said = explain(RISK, risk(WISH, "high", "wish", ("不想活了",), p=0.55), WISH)
        assert re.search(r"不一致|分界|出入", said)
        said = explain(RISK, risk(WISH, "low", "plan", ("不想活了",), p=0.45), WISH)
        assert re.search(r"不一致|分界|出入|矛盾|对不上", said)

    def test_another_person_is_named_as_such(self):
        text = "室友说她不想活了，我好怕。"
        said = explain(RISK, risk(text, "low", "pain", ("她不想活了",), subject="other"), text)
        assert re.search(r"另一个人|别人", said)
        assert re.search(r"模型.*可能处在危险中", said)
        assert "未见方法或计划（不等于没有风险）" in said

    def test_level_nought_says_that_nothing_is_seen(self):
        text = "笑死我了，今天猫又翻车了。"
        said = explain(RISK, risk(text, "low", "none", ("笑死我了",), subject="none", p=0.003), text)
        assert re.search(r"没有(看到|读到|写到|作者)", said)
        assert "0 级" in said
        assert "求死的愿望" not in said

    def test_a_past_attempt_is_said_as_a_reading(self):
        said = explain(RISK, risk(WISH, past_attempt=True), WISH)
        assert re.search(r"尝试|未遂", said)
        assert not re.search(r"尝试|未遂", explain(RISK, risk(WISH), WISH))

    def test_missing_outputs_of_other_models_are_no_crash(self):
        bare = {"labels": ["high"], "probabilities": None, "evidence": [], "abstained": True}
        assert explain(RISK, bare, WISH)
        assert explain(RISK, bare | {"labels": ["low"], "abstained": False}, WISH, "en")

    @pytest.mark.parametrize("level", range(1, 11))
    def test_what_is_expressed_is_the_models_reading_and_not_the_quotes(self, level):
        text = "我不是想自杀，只是累。"
        for n in range(24):
            post = text + "。" * n
            a = risk(post, "high" if level >= 6 else "low", expression_of(level), ("我不是想自杀",), level=level, p=0.6)
            a |= {"abstained": n % 3 == 0, "evidence": a["evidence"] if n % 4 else [], "subject": "unclear"}
            head, clause = next(x for y in zh.WORDS[f"risk.level.{level}"] if (x := before(explain(RISK, a, post), y)))
            assert "模型" in head, (head, clause)
            assert "作者" not in head
            head, _ = next(x for y in en.WORDS[f"risk.level.{level}"] if (x := before(explain(RISK, a, post, "en"), y)))
            assert "model" in head
            assert "author" not in head

    def test_what_is_not_there_was_not_seen(self):
        for slot in ("risk.no_wish", "risk.none", "risk.none.unclear"):
            assert all(re.search(r"没有(看到|读到)", x) for x in zh.WORDS[slot])
            assert all(re.search(r"\b(seen|read)\b", x) for x in en.WORDS[slot])
        for slot in ("risk.other", "risk.other.bare"):
            assert all(re.search(r"模型.*(读|认为)", x) for x in zh.WORDS[slot])
            assert all("model" in x for x in en.WORDS[slot])

    @pytest.mark.parametrize("subject", SUBJECTS)
    def test_low_is_set_against_an_expression_only_where_there_is_one(self, subject):
        for level in range(11):
            for n in range(24):
                post = WISH + "。" * n
                a = risk(post, "low", expression_of(level), ("不想活了",), level=level, subject=subject)
                said = explain(RISK, a, post)
                assert said.count("但") <= 1, said
                if level < 4 or subject == "other":
                    assert not re.search(r"但未见", said), said
                english = explain(RISK, a, post, "en")
                assert level >= 4 or not re.search(r"(but with|still,) no method", english), english

    def test_under_one_half_is_no_verdict(self):
        text = "信都写好了，就在下周。"
        for n in range(24):
            post = text + "。" * n
            said = explain(RISK, risk(post, "high", "plan", ("信都写好了",), p=0.41), post)
            assert "50%" in said
            assert not re.search(r"判为高风险|归入高风险|属于高风险（|结论是", said), said
            assert "50 %" in explain(RISK, risk(post, "high", "plan", ("信都写好了",), p=0.41), post, "en")
            assert "50%" not in explain(RISK, risk(post, "high", "plan", ("信都写好了",), p=0.93), post)

    @given(
        st.sampled_from(["low", "high"]),
        st.sampled_from(EXPRESSIONS),
        st.sampled_from(SUBJECTS),
        st.integers(0, 10),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["zh", "en"]),
        st.booleans(),
    )
    def test_any_combination_reads_as_a_text(self, label, expression, subject, level, past, unsure, lang, found):
        a = risk(WISH, label, expression, ("不想活了",) if found else ())
        a |= {"subject": subject, "level": level, "past_attempt": past, "abstained": unsure}
        check_text(explain(RISK, a, WISH, lang), WISH, lang)


class TestDistortion:
    TEXT = "又被拒了，我做什么都不会成，我就是个废物。"

    def test_each_label_has_its_name_its_words_and_its_reason(self):
        a = distortions(self.TEXT, {"overgeneralization": ("我做什么都不会成",), "labeling": ("我就是个废物",)})
        said = explain(DISTORTION, a, self.TEXT)
        for name, quote in (("以偏概全", "“我做什么都不会成”"), ("乱贴标签", "“我就是个废物”")):
            assert name in said
            assert quote in said
        assert any(clause in said for clause in clauses.ZH["labeling"])
        assert "83%" in said

    @pytest.mark.parametrize("p", [0.12, 0.41])
    def test_under_one_half_is_a_likeness(self, p):
        for n in range(24):
            text = self.TEXT + "。" * n
            a = distortions(text, {"labeling": ("我就是个废物",)})
            a["probabilities"]["labeling"] = p
            said = explain(DISTORTION, a, text)
            assert f"{p:.0%}" in said
            assert "不以 50% 为界" in said
            assert re.search(r"像|或许|相近|偏向", said)
            assert not re.search(r"属于「|这是「|判为「|标为「|符合「", said), said
            assert "not drawn at 50 %" in explain(DISTORTION, a, text, "en")
            two = distortions(text, {"overgeneralization": ("我做什么都不会成",), "labeling": ("我就是个废物",)})
            two["probabilities"]["labeling"] = p
            said = explain(DISTORTION, two, text)
            assert "不以 50% 为界" in said
            assert not re.search(r"(属于|这是|另标|同时还有)「乱贴标签", said), said

    def test_from_one_half_on_it_is_said_plainly(self):
        a = distortions(self.TEXT, {"labeling": ("我就是个废物",)})
        assert "50%" not in explain(DISTORTION, a, self.TEXT)

    def test_none_is_said_plainly(self):
        said = explain(DISTORTION, distortions(self.TEXT, {}), self.TEXT)
        assert "认知歪曲" in said
        assert re.search(r"没有", said)
        assert quoted(said) == []
        assert explain(DISTORTION, distortions(self.TEXT, {}, probabilities=None), self.TEXT)

    def test_a_label_without_words_says_so(self):
        said = explain(DISTORTION, distortions(self.TEXT, {"labeling": ()}, abstained=True), self.TEXT)
        assert "乱贴标签" in said
        assert quoted(said) == []
        assert "人" in said

    def test_many_labels_and_quotes_are_bounded(self):
        text = "".join(f"第{n}句说了" + "很多" * 16 + "话呀，" for n in range(60))
        spans = [{"start": i * 30, "end": i * 30 + 29, "quote": text[i * 30 : i * 30 + 29]} for i in range(40)]
        found = [span | {"label": key} for key in DISTORTION.keys for span in spans]
        a = distortions(text, dict.fromkeys(DISTORTION.keys, ())) | {"evidence": found}
        said = explain(DISTORTION, a, text)
        assert len(quoted(said)) <= 5 * 3
        assert len(said) < 1500


class TestPathway:
    def test_the_walk_goes_in_order(self):
        said = explain(PATHWAY, pathway(FOUR, FOUR_LABELS), FOUR)
        places = [said.index(name) for name in ("第三次面试", "我这种人", "整夜没睡", "算了")]
        assert places == sorted(places)
        for name in ("学习工作", "乱贴标签", "行为效应", "习惯性驳斥"):
            assert name in said
        assert "1 句" in said
        assert "合成" in said

    def test_a_missing_disputation_is_said(self):
        said = explain(PATHWAY, pathway(FOUR, [*FOUR_LABELS[:3], [], []]), FOUR)
        assert "驳" in said
        assert "习惯性" not in said

    def test_one_belief_is_one(self):
        for n in range(24):
            text = FOUR + "嗯。" * n
            labels = [*FOUR_LABELS[:3], *[[]] * (len(sentences(text)) - 3)]
            assert "这些想法" not in explain(PATHWAY, pathway(text, labels), text)
            assert "these beliefs" not in explain(PATHWAY, pathway(text, labels), text, "en")

    def test_under_one_half_is_neither_sure_nor_a_verdict(self):
        for n in range(24):
            text = FOUR + "嗯。" * n
            rest = [[]] * (len(sentences(text)) - 5)
            a = pathway(text, [*FOUR_LABELS, *rest], probabilities=dict.fromkeys(PATHWAY.keys, 0.31))
            said = explain(PATHWAY, a, text)
            assert "31%" in said
            assert not re.search(
                r"把握最大|最有把握|最确定|是触发性事件|是认知歪曲（|属于「",
                re.sub("或许属于|可能是", "", said).replace("可能是", ""),
            ), said
            assert not re.search(r"surest|most certain", explain(PATHWAY, a, text, "en"))
            # A sentence's own probability counts for it, not the post's.
            a["probabilities"] = dict.fromkeys(PATHWAY.keys, 0.9)
            a["sentences"][1]["probabilities"] = dict.fromkeys(PATHWAY.keys, 0.2)
            assert re.search(r"(像|偏向|或许属于|可能是|与)「乱贴标签", said := explain(PATHWAY, a, text)), said

    def test_none_is_said_plainly(self):
        said = explain(PATHWAY, pathway(FOUR, [[]] * 5), FOUR)
        assert "没有" in said or "看不到" in said
        assert quoted(said) == []

    def test_without_sentences_the_evidence_is_walked(self):
        a = pathway(FOUR, [[]] * 5) | {"sentences": [], "labels": ["belief", "belief.labeling"]}
        a["evidence"] = evidence(FOUR, "belief.labeling", "我这种人就是垃圾")
        assert "“我这种人就是垃圾”" in explain(PATHWAY, a, FOUR)

    def test_a_long_post_is_cut_and_says_so(self):
        text = "我就是个没用的人呀。" * 30
        a = pathway(text, [["belief", "belief.labeling"]] * 30)
        said = explain(PATHWAY, a, text)
        assert "24 句" in said
        assert len(said) < 1200

    @given(
        st.lists(st.sets(st.sampled_from(PATHWAY.leaves), max_size=2), min_size=5, max_size=5),
        st.sampled_from(["zh", "en"]),
    )
    def test_any_labels_read_as_a_text(self, labels, lang):
        full = [sorted({x for key in ls for x in (key, key.split(".")[0])}, key=PATHWAY.keys.index) for ls in labels]
        check_text(explain(PATHWAY, pathway(FOUR, full), FOUR, lang), FOUR, lang)


def expression_of(level: int) -> str:
    ends = {"none": 0, "pain": 3, "wish": 5, "plan": 8, "imminent": 10}
    return next(name for name, last in ends.items() if level <= last)


def before(said: str, clause: str) -> tuple[str, str] | None:
    """What stands before `clause`, with the clause; None where it does not occur."""
    return (said[: said.index(clause)], clause) if clause in said else None


def check_text(said: str, text: str, lang: str) -> None:
    assert said
    assert "{" not in said
    assert "}" not in said
    assert "\n" not in said
    assert not re.search(r"）（|（[^）]*（|\) \(|\([^)]*\(", re.sub(r"“.*?”", "", said)), said
    assert not re.search(r"。。|，，|，。|；。|：。|。，|\.\.|  |“”", said), said
    assert said.endswith("。" if lang == "zh" else "."), said
    assert not FORBIDDEN.search(said), said
    for quote in quoted(said):
        assert quote.rstrip("…") in text
    if lang == "en":
        assert not re.search(r"[\u4e00-\u9fff，。；]", re.sub(r"“.*?”", "", said)), said


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_many_in_a_row_do_not_read_alike(lang):
    said = []
    for n in range(60):
        text = f"第{n}天，每天都好累，真的不想活了。"
        said.append(explain(RISK, risk(text, quotes=("不想活了",)), text, lang))
    assert len(set(said)) == 60
    assert Counter(s[:6] for s in said).most_common(1)[0][1] <= 30
    assert len({s[:12] for s in said}) >= 6


@pytest.mark.parametrize(("lang", "word"), [("zh", "段"), ("en", "part")])
def test_a_post_read_in_windows_says_so(lang, word):
    assert word in explain(RISK, risk(WISH, notes=["windows"]), WISH, lang)
    assert word not in explain(RISK, risk(WISH), WISH, lang)


def test_the_same_post_always_reads_the_same():
    a = distortions(TestDistortion.TEXT, {"labeling": ("我就是个废物",)})
    assert explain(DISTORTION, a, TestDistortion.TEXT) == explain(DISTORTION, a, TestDistortion.TEXT)


def test_both_languages_have_all_slots_with_the_same_values():
    assert zh.WORDS.keys() == en.WORDS.keys()
    for slot in zh.WORDS:
        if not slot.startswith(("risk.level.", "cp.where")) or slot == "risk.level.zero":
            assert len(zh.WORDS[slot]) >= 6, slot
            assert len(en.WORDS[slot]) >= 6, slot
        # A slot with words of the post, a level or a number shows it in every variant.
        variants = zh.WORDS[slot] + en.WORDS[slot]
        fields = [set(re.findall(r"{(\w+)}", variant)) & {"q", "l", "k", "s", "list"} for variant in variants]
        assert all(found == fields[0] for found in fields), slot


def test_every_label_has_clauses_in_both_languages():
    needed = {"blame", "jumping_to_conclusions", "consequence.emotional", "consequence.behavioral"}
    needed |= {"disputation.habitual", "disputation.effective", *DISTORTION.keys}
    assert clauses.ZH.keys() == clauses.EN.keys() == needed
    assert all(len(v) >= 3 for v in [*clauses.ZH.values(), *clauses.EN.values()])


class TestQuotes:
    def test_long_quotes_are_cut(self):
        assert shorten("啊" * 40) == "啊" * 40
        assert shorten("啊" * 41) == "啊" * 39 + "…"

    def test_a_quote_cannot_break_the_line_or_the_marks(self):
        assert shorten("一\n\n二\u202e三\ud800“四”") == "一 二三‘四’"

    @given(st.text(st.characters(), max_size=100))
    def test_any_quote_is_one_printable_line(self, quote):
        shown = shorten(quote)
        assert len(shown) <= MAX_LENGTH
        shown.encode("utf-8")
        assert len(shown.splitlines()) <= 1

    def test_at_most_three_in_text_order_without_repeats(self):
        text = "甲乙丙丁戊"
        spans = evidence(text, "x", "戊", "乙", "甲", "丙", "丙", "丁")
        assert of_label(spans, "x") == ["甲", "乙", "丙"]
        inside = [
            {"label": "x", "start": 0, "end": 3, "quote": "甲乙丙"},
            {"label": "x", "start": 1, "end": 2, "quote": "乙"},
        ]
        assert of_label(inside, "x") == ["甲乙丙"]
        assert of_label([{"label": "belief.blame", "start": 0, "end": 1, "quote": "甲"}], "belief") == ["甲"]


def test_any_post_may_be_explained():
    for text in ("\ud800坏", "“”", "{q}", "%s", "😭", "<b>", "\x00"):
        a = distortions(text, {"labeling": (text,)})
        for lang in ("zh", "en"):
            assert explain(DISTORTION, a, text, lang).encode("utf-8")
