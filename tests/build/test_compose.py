"""The offline teacher's words: few share a form, all pass the checks, and whatever is quoted stands in the post."""

from __future__ import annotations

import asyncio
import random
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from string import Formatter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mentalglm.build import quality
from mentalglm.build.item import Item, Taught
from mentalglm.build.quality.corpus import look, skeleton
from mentalglm.build.quality.passages import verbatim
from mentalglm.build.quality.verdict import Settings
from mentalglm.build.teach import compose
from mentalglm.build.teach.choice import Choice
from mentalglm.build.teach.local import Existing, Offline
from mentalglm.build.teach.teacher import Request
from mentalglm.sources.labelled import Sentence
from mentalglm.tasks import NAMES, load
from mentalglm.tasks.answer import EXPRESSION_OF_LEVEL, PARENTS, Answer, Quote, with_parents
from mentalglm.text import content_key, mask
from mentalglm.text.sentences import sentences
from tests.build import invented

COUNT = 600
CLAUSE = re.compile(r"[^，。！？；：、…~～,.!?;:\s\"“”‘’「」『』（）()【】\[\]]{3,}")
Made = tuple[Item, Answer]


@cache
def posts() -> list[str]:
    """Invented posts without personal data: a build masks these before a teacher sees them."""
    texts = [r["text"] for name in ("hard_negatives", "rare_distortions") for r in invented.rows(name)]
    return [text for text in texts if not mask(text)[1]]


def spans(rng: random.Random, text: str, most: int) -> list[tuple[int, int]]:
    """One to `most` random stretches of clauses of `text`."""
    clauses = [m.span() for m in CLAUSE.finditer(text)]
    out = []
    for start, end in rng.sample(clauses, min(rng.randint(1, most), len(clauses))):
        length = rng.randint(3, min(24, end - start))
        at = rng.randint(start, end - length)
        out.append((at, at + length))
    return sorted(out)


def quotes(text: str, at: list[tuple[int, int]], label: str) -> list[Quote]:
    return [Quote(label, a, b, text[a:b]) for a, b in at]


def item(task: str, text: str, labels: tuple[str, ...], number: int, **more: Any) -> Item:
    key = content_key(f"{number} {text}")
    return Item(f"{key}-{task}", key, task, text, with_parents(load(task), labels), "invented", **more)


def distortion(rng: random.Random, number: int, text: str) -> tuple[Item, list[Quote], dict[str, Any]]:
    keys = load("cognitive_distortion").keys
    labels = tuple(rng.sample(keys, rng.choices((1, 2, 3), (7, 2, 1))[0]))
    made = item("cognitive_distortion", text, labels, number)
    return made, [q for key in made.labels for q in quotes(text, spans(rng, text, 2), key)], {}


def risk(rng: random.Random, number: int, text: str) -> tuple[Item, list[Quote], dict[str, Any]]:
    level = rng.choice((None, *range(11)))
    label = rng.choice(("low", "high")) if level is None else "high" if level >= 6 else "low"
    made = item("suicide_risk", text, (label,), number, level=level)
    further = {
        "level": level,
        "expression": None if level is None else EXPRESSION_OF_LEVEL[level],
        "subject": "self" if label == "high" else rng.choices(("self", "other", "none"), (8, 1, 1))[0],
        "past_attempt": rng.random() < 0.1,
    }
    return made, [] if level == 0 else quotes(text, spans(rng, text, 3), label), further


def pathway(rng: random.Random, number: int, text: str) -> tuple[Item, list[Quote], dict[str, Any]]:
    text = "。".join([text, *rng.sample(posts(), 2)])
    task = load("cognitive_pathway")
    found = [
        Sentence(a, b, tuple(rng.sample(task.leaves, rng.choice((0, 1, 1, 2))))) for a, b in sentences(text)
    ][:6]  # fmt: skip
    made = item("cognitive_pathway", text, tuple(k for s in found for k in s.labels), number, sentences=tuple(found))
    return made, [q for s in found for k in s.labels for q in quotes(text, [(s.start, s.end)], k)], {}


MAKERS: dict[str, Callable[[random.Random, int, str], tuple[Item, list[Quote], dict[str, Any]]]] = {
    "suicide_risk": risk,
    "cognitive_distortion": distortion,
    "cognitive_pathway": pathway,
}


@cache
def composed(task: str, attempt: int = 1) -> tuple[Made, ...]:
    """COUNT invented items of a task with random labels and quotes, and what is composed for them."""
    rng = random.Random(f"{task} 7")
    out = []
    usable = [t for t in posts() if CLAUSE.search(t) and len(t) >= 12]
    while len(out) < COUNT:
        made, found, further = MAKERS[task](rng, len(out), rng.choice(usable))
        if not found and made.level != 0:
            continue
        text = compose.explanation(made, found, further, attempt)
        summary = compose.summary(made, found) if task == "cognitive_pathway" else {}
        out.append((made, Answer(tuple(found), text, made.labels, further, summary)))
    return tuple(out)


def taught(answer: Answer) -> Taught:
    return Taught("offline", "given", "ok", answer)


@pytest.mark.parametrize("task", NAMES)
def test_few_explanations_share_a_skeleton(task: str) -> None:
    found = look([quality.Row(made, taught(answer)) for made, answer in composed(task)], Settings())
    assert found.rows == COUNT
    assert found.share < 0.05, [skeleton(composed(task)[g[0]][1].explanation) for g in found.groups[:5]]
    assert not found.near


@pytest.mark.parametrize("task", NAMES)
def test_every_explanation_passes_the_checks(task: str) -> None:
    """The few pathways with one short sentence that say too little pass at the next attempt, as in a build."""
    again = 0
    for made, answer in composed(task):
        verdict = quality.judge(made, taught(answer), Settings())
        if not verdict.passed:
            assert (task, verdict.reasons) == ("cognitive_pathway", ("restates_label",)), (verdict, answer.explanation)
            other = compose.explanation(made, answer.evidence, answer.further, 2)
            verdict = quality.judge(made, taught(replace(answer, explanation=other)), Settings())
            again += 1
        assert verdict.passed, (verdict.findings, answer.explanation)
    assert again <= COUNT / 100


@pytest.mark.parametrize("task", NAMES)
def test_every_label_is_named_and_every_quote_is_the_posts(task: str) -> None:
    for made, answer in composed(task):
        if task == "cognitive_pathway":
            for q in answer.evidence:
                assert load(task).label(q.label).zh in answer.explanation
        elif task == "cognitive_distortion":
            assert all(load(task).label(k).zh in answer.explanation for k in made.labels)
        for quote in re.findall("“([^”]*)”", answer.explanation):
            assert quote in made.text
            assert 0 < len(quote) <= compose.LONGEST
        assert not re.search(r"[{}]|“”|，，|。。|，。|、、", answer.explanation), answer.explanation


def test_low_is_never_called_no_risk() -> None:
    denied = "不等于没有|不是没有|不代表没有|不表示没有|不是说没有|不意味着没有"
    for made, answer in composed("suicide_risk"):
        if made.labels == ("low",):
            own = re.sub("“[^”]*”", "", answer.explanation)
            assert not re.search("没有风险|无风险|低风险", re.sub(f"(?:{denied})风险", "", own)), answer.explanation


@pytest.mark.parametrize("task", NAMES)
def test_the_same_item_gets_the_same_words_and_another_attempt_others(task: str) -> None:
    same = 0
    for made, answer in composed(task)[:200]:
        again = compose.explanation(made, answer.evidence, answer.further, 1)
        assert again == answer.explanation
        same += compose.explanation(made, answer.evidence, answer.further, 2) == answer.explanation
    assert same <= 2  # by chance, of 200


def test_another_post_with_the_same_quotes_gets_other_words() -> None:
    texts = {
        compose.explanation(item("cognitive_distortion", "我就是个废物", ("labeling",), n),
                            quotes("我就是个废物", [(0, 6)], "labeling"), {}, 1)
        for n in range(50)
    }  # fmt: skip
    assert len(texts) >= 45


def test_a_summary_speaks_of_the_parents_that_are_there() -> None:
    for made, answer in composed("cognitive_pathway")[:200]:
        assert set(answer.summary) == set(PARENTS)
        for parent, said in answer.summary.items():
            assert (said is not None) == (parent in made.labels), (made.labels, answer.summary)
            if said is not None:
                assert all(q in made.text for q in re.findall("“([^”]*)”", said))


def test_words_that_a_person_wrote_come_first() -> None:
    made, found, _ = pathway(random.Random(1), 0, posts()[0])
    made = item(
        "cognitive_pathway",
        made.text,
        ("event.life",),
        0,
        sentences=made.sentences,
        summary={"event": "作者说到一件事。"},
    )
    assert compose.summary(made, found)["event"] == "作者说到一件事。"


def test_every_frame_of_the_wording_is_filled_with_what_there_is() -> None:
    """A placeholder that the composer does not know would only fail on the posts that pick its frame."""
    known = {"q", "n", "does", "why", "is", "unlike", "steps"}
    for path in sorted(compose.FOLDER.glob("*.toml")):
        words = tomllib.loads(path.read_text(encoding="utf-8"))
        stack: list[Any] = [words]
        while stack:
            value = stack.pop()
            stack += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
            if isinstance(value, str):
                assert {name for _, name, _, _ in Formatter().parse(value) if name is not None} <= known, (
                    path.name,
                    value,
                )


def test_choice_gives_a_slot_its_other_variants_before_any_twice() -> None:
    choice = Choice("k", "t", 1)
    picked = [choice.pick("slot", "abcde") for _ in range(5)]
    assert sorted(picked) == list("abcde")
    assert Choice("k", "t", 1).pick("slot", "abcde") == picked[0]
    shares = sum(Choice(n, "t", 1).chance("x", 0.4) for n in range(2000)) / 2000
    assert 0.36 < shares < 0.44


# --- whatever is quoted

ANY = st.text(st.characters(exclude_categories=()), max_size=120)
PIECES = [*'“”「」『』"＂〝〞‘’\'\n\r\t\u2028\x85\x00\ud83d😭\u200b\ufeff{}。我 \u3000', "👨‍👩‍👧", "{q}",
          "……", "不想", "活了", "http://x.cn/a", "13912345678"]  # fmt: skip
WEIRD = st.one_of(ANY, st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
LABELS = {task: load(task).leaves for task in NAMES}


@given(WEIRD)
@example("“")
@example("，。！？")
@example("\ud83d\ude2d")
@example("他说“别来了”然后“走”了")
def test_what_is_shown_of_a_quote_is_verbatim_and_can_stand_in_marks(quote: str) -> None:
    shown = compose.shown(quote)
    assert shown in quote
    assert len(shown) <= compose.LONGEST
    assert not set(shown) & set('“”「」『』‘’"＂〝〞\n\r\t')
    assert shown == shown.strip(compose._STOPS)


@given(WEIRD, WEIRD, st.sampled_from(NAMES), st.integers(0, 2**16), st.integers(1, 5))
@example("他说“别来了”", "＂然后＂\n就走了", "cognitive_distortion", 1, 1)
@example("半个\ud83d", "😭😭", "suicide_risk", 1, 1)
def test_no_quote_makes_it_crash_or_quote_what_is_not_there(
    first: str, second: str, task: str, seed: int, attempt: int
) -> None:
    rng = random.Random(seed)
    text = f"{first}{second}"
    labels = tuple(rng.sample(LABELS[task], 1 if task == "suicide_risk" else 2))
    at = [(a, b) for a, b in ((0, len(first)), (len(first), len(text))) if a < b]
    found = [Quote(labels[i % len(labels)], a, b, text[a:b]) for i, (a, b) in enumerate(at)]
    level = None if task != "suicide_risk" else 8 if labels == ("high",) else rng.choice((1, 4))
    made = item(task, text, labels, seed, level=level, sentences=tuple(Sentence(a, b, labels[:1]) for a, b in at))
    further = {"level": level, "expression": EXPRESSION_OF_LEVEL[level], "subject": "self"} if level is not None else {}
    said = compose.explanation(made, found, further, attempt)
    answer = Answer(
        tuple(found), said, made.labels, further, compose.summary(made, found) if task == "cognitive_pathway" else {}
    )
    for passage in re.findall("“([^”]*)”", said):
        assert passage in text
    for sentence in answer.summary.values():
        assert all(passage in text for passage in re.findall("“([^”]*)”", sentence or ""))
    reasons = quality.judge(made, taught(answer), Settings()).reasons
    own = {"unknown_label", "evidence_label", "repetition", "medical_advice", "diagnosis", "blame", "reassurance"}
    assert not {"quote_not_verbatim", "evidence_not_verbatim", "certainty", *own} & set(reasons), (reasons, said)


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("piece", ["我不想再说了", "啊", "没有人在，", "“好”\n", "😭"])
def test_a_post_of_a_hundred_thousand_characters_is_cut_to_a_quote(task: str, piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    label = LABELS[task][-1]
    level = 8 if task == "suicide_risk" else None
    made = item(task, text, (label,), 0, level=level, sentences=(Sentence(0, len(text), (label,)),))
    found = [Quote(label, 0, len(text), text)]
    said = compose.explanation(made, found, {"level": level, "expression": "plan"} if level else {}, 1)
    assert len(said) < 600
    shown = re.findall("“([^”]*)”", said)
    assert shown
    assert all(verbatim(q, text) and q in text for q in shown)


# --- with the model that finds the words

ODD = (
    "😭😭😭",
    "……。。。",
    "他说“你就是个废物”，我信了\n\n今晚就走",
    "半个\ud83d字符，我就是没用",
    "\u200b\u200b我\u200b撑\u200b不\u200b住了\u200b",
    "我" * 700,
    "一次没考好就全完了。" * 60,
    "「都怪我」『都怪我』＂都怪我＂",
    " \t ",
    "加我微信：abc_12345，电话13912345678，我不想活了",
)


@pytest.mark.parametrize("task", ["suicide_risk", "cognitive_distortion"])
def test_the_offline_teacher_reads_odd_posts(task: str) -> None:
    labels = ("high",) if task == "suicide_risk" else ("labeling", "self_blame")
    items = [item(task, text, labels, n) for n, text in enumerate(ODD)]
    told = run(Offline(invented.mini()), items)
    for made, found in zip(items, told, strict=True):
        assert found.status == "ok"
        assert found.answer is not None
        assert all(made.text[q.start : q.end] == q.quote for q in found.answer.evidence)
        reasons = quality.judge(made, found, Settings()).reasons
        assert not {"quote_not_verbatim", "evidence_not_verbatim", "unknown_label", "personal_data"} & set(reasons), (
            reasons
        )
        if set(reasons) - {"evidence_missing"}:
            assert not re.search("[\u4e00-\u9fff]{2}", made.text) or not found.answer.evidence, (
                reasons,
                made.text[:40],
            )
    assert told == run(Offline(invented.mini()), items)


def test_the_level_is_the_annotators_and_nothing_is_read_where_they_gave_none() -> None:
    texts = [posts()[n] for n in (0, 3, 9)]
    items = [
        item("suicide_risk", t, ("low",), n, level=level)
        for n, (t, level) in enumerate(zip(texts, (0, 3, None), strict=True))
    ]
    zero, three, none = (t.answer for t in run(Offline(invented.mini()), items))
    assert zero is not None
    assert three is not None
    assert none is not None
    assert (zero.further["level"], zero.further["expression"], zero.evidence) == (0, "none", ())
    assert (three.further["level"], three.further["expression"]) == (3, "pain")
    assert (none.further["level"], none.further["expression"]) == (None, None)


def test_an_explanation_of_another_level_is_not_taken() -> None:
    teacher = Existing(invented.mini())
    post = posts()[0]
    with_one = item("suicide_risk", post, ("low",), 0, explanations=(invented.explain(post, 1),))
    assert teacher.takes(with_one)
    assert not teacher.takes(item("suicide_risk", post, ("low",), 0))
    assert not teacher.takes(
        item("suicide_risk", post, ("low",), 0, explanations=("x",), disagrees="level 8 elsewhere")
    )
    (told,) = run(teacher, [with_one])
    assert told.answer is not None
    assert told.answer.explanation == invented.explain(post, 1)
    bad = item("suicide_risk", post, ("low",), 0, explanations=(invented.explain(post, 1, invented=True),))
    (told,) = run(teacher, [bad])
    assert told.answer is not None
    assert told.answer.dropped_quotes == ("谁也没写过的话",)
    assert {"quote_not_verbatim", "evidence_not_verbatim"} <= set(quality.judge(bad, told, Settings()).reasons)


def run(teacher: Offline | Existing, items: list[Item]) -> list[Taught]:
    async def ask() -> list[Taught]:
        return [told async for _, told in teacher.answer(Request(i) for i in items)]

    return asyncio.run(ask())
