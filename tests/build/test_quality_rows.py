"""Checks over rows: one post under several tasks, all explanations together, refusals, informativeness, the report."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mentalglm.build.item import Item, Taught
from mentalglm.build.quality import Finding, Row, Settings, judge
from mentalglm.build.quality.across import BELIEF, across
from mentalglm.build.quality.corpus import look, skeleton
from mentalglm.build.quality.informative import measure
from mentalglm.build.quality.quotes import quote_rates
from mentalglm.build.quality.refusals import refusal_table, wilson
from mentalglm.build.quality.report import summary, write
from mentalglm.tasks import load
from mentalglm.tasks.answer import Answer, Quote

SETTINGS = Settings(informative_least=100, informative_folds=3)


def row(
    key: str, text: str, told: str, labels: tuple[str, ...] = ("low",), task: str = "suicide_risk", **more: Any
) -> Row:
    evidence = tuple(Quote(k, text.index(q), text.index(q) + len(q), q) for k, q in more.pop("evidence", ()))
    answer = Answer(evidence, told, labels, more.pop("further", {}))
    status = more.pop("status", "ok")
    taught = Taught(more.pop("teacher", "t"), more.pop("mode", "given"), status, answer if status == "ok" else None)
    return Row(Item(f"{key}-{task}", key, task, text, labels, "test", parts=(("made", "train"),), **more), taught)


def test_no_wish_in_one_answer_and_a_wish_quoted_in_another() -> None:
    text = "作业写不完，我真的不想活了，我就是个废物。"
    calm = row("k", text, "“作业写不完”。", further={"level": 2, "expression": "pain"})
    other = row("k", text, "“我真的不想活了”是愿望。", ("labeling",), "cognitive_distortion")
    assert [f.reason for f in across([calm, other])] == ["wish_elsewhere"]
    told = row("k", text, "“不想活了”。", further={"level": 5, "expression": "wish"})
    assert across([told, other]) == []
    idiom = replace(other.item, text="今天真是笑死我了，也不想死记硬背。")
    quoted = Answer((), "“今天真是笑死我了”", ("labeling",))
    assert across([calm, Row(idiom, replace(other.taught, answer=quoted))]) == []


def test_distortions_and_beliefs_agree_by_the_map() -> None:
    d = row("k", "他们都觉得我烦", "…", ("mind_reading",), "cognitive_distortion")
    same = row("k", "他们都觉得我烦", "…", ("belief", "belief.jumping_to_conclusions"), "cognitive_pathway")
    other = row("k", "他们都觉得我烦", "…", ("belief", "belief.labeling"), "cognitive_pathway")
    assert across([d, same]) == []
    assert [f.detail for f in across([d, other])] == ["jumping_to_conclusions / labeling"]
    beliefs = {k.removeprefix("belief.") for k in load("cognitive_pathway").leaves if k.startswith("belief.")}
    assert {BELIEF.get(k, k) for k in load("cognitive_distortion").keys} == beliefs
    assert [f.reason for f in across([d, row("k", "x", "…", ("labeling",), "cognitive_distortion")])] == [
        "labels_differ"
    ]


def test_a_skeleton_is_what_is_left_without_quotes_names_and_numbers() -> None:
    a = skeleton("“我真没用”这里给整个人安了贬称，属于「乱贴标签」。概率为 92%。")
    assert a == skeleton("“全是”、“废物”这里给整个人安了贬称，属于「以偏概全」。概率为 7.5%。")
    assert a != skeleton("“我真没用”那里给整个人安了贬称，属于「乱贴标签」。概率为 92%。")


def test_shared_skeletons_are_counted_and_all_but_the_first_are_found() -> None:
    rows = [row(f"k{i}", "我真没用", f"“我真没用”是第 {i} 条，属于「乱贴标签」。") for i in range(3)]
    rows += [row(f"u{i}", "我真没用", f"“我真没用”{chr(0x4E00 + 37 * i) * 9}各说各的。") for i in range(57)]
    found = look(rows, Settings(near_duplicate=1.0))
    assert (found.shared, found.share, found.passed) == (3, 0.05, True)
    assert [i for i, f in enumerate(found.findings) if any(x.reason == "skeleton_shared" for x in f)] == [1, 2]
    assert not look(rows[:59], Settings(near_duplicate=1.0)).passed
    assert look([], SETTINGS).share == 0


def test_near_duplicates_of_other_posts_are_found() -> None:
    told = "“我真没用”给自己整个人安了一个贬称，没有说是哪一件事做得不好，也没有提到别人怎么看，所以归在乱贴标签这一类里面。"
    rows = [
        row("a", "我真没用", told),
        row("b", "我真没用", told + "是的。"),
        row("a", "我真没用", told, task="imhi_x"),
    ]
    found = look(rows, SETTINGS)
    assert {(i, j) for i, j, _ in found.near} == {(0, 1), (1, 2)}


def test_refusals_by_label_and_level() -> None:
    rows = [row(f"h{i}", "t", "x", ("high",), status="refused" if i < 3 else "ok", level=8) for i in range(10)]
    rows += [row(f"l{i}", "t", "x", level=2) for i in range(10)] + [row("f", "t", "x", status="failed")]
    table = refusal_table(rows)
    assert table["by_label"]["suicide_risk.high"] == {
        "asked": 10,
        "refused": 3,
        "share": 0.3,
        "low": 0.1078,
        "high": 0.6032,
    }
    assert [table["by_level"][k]["refused"] for k in ("2", "8")] == [0, 3]
    assert table["all"]["asked"] == 20
    assert wilson(0, 0) == (None, None)


def test_quote_rates_count_bad_quotes_and_rows_without_any() -> None:
    rows = [
        row("a", "我好累啊", "“我好累”说的是感受。"),
        row("b", "我好累啊", "“我很累”说的是感受，“好累啊”也是。"),
        row("c", "我好累啊", "他说自己累，属于「未见方法或计划」。"),
        row("d", "我好累啊", "x", status="refused"),
    ]
    rates = quote_rates(rows)
    assert (rates["rows"], rates["quotes"], rates["quotes_bad"], rates["rows_bad"], rates["rows_none"]) == (
        3,
        3,
        1,
        1,
        1,
    )
    assert rates["share_rows_bad_or_none"] == pytest.approx(2 / 3, abs=1e-4)
    assert quote_rates([])["share_quotes_bad"] is None


def pointing(told: Any, count: int = 240) -> list[Row]:
    """Posts with a word of either label, and which of the two counts is not to be seen: the explanation knows it."""
    random.seed(1)
    rows = []
    for i in range(count):
        high = i % 2 == 0
        text = "，".join(random.sample(["攒药买炭", "吃饭睡觉", *random.sample("山水风云日月星辰春夏秋冬", 4)], 6))
        rows.append(row(f"k{i}", text, told(high, random), ("high",) if high else ("low",)))
    return rows


def test_an_explanation_that_points_at_the_right_words_is_informative() -> None:
    (found,) = measure(pointing(lambda high, r: "“攒药买炭”说了。" if high else "“吃饭睡觉”说了。"), SETTINGS)
    assert found.gain_pointed is not None
    assert found.gain_pointed_low is not None
    assert found.gain_pointed > 0.3
    assert found.gain_pointed_low > 0


def test_an_explanation_that_hands_over_the_label_or_says_anything_gains_nothing_by_pointing() -> None:
    (leaking,) = measure(pointing(lambda high, r: "这属于甲类。" if high else "这属于乙类。"), SETTINGS)
    assert leaking.leaking == 1
    assert leaking.las is None
    assert "leak" in leaking.note
    assert leaking.gain_pointed_low is not None
    assert leaking.gain_pointed_low <= 0
    (noise,) = measure(pointing(lambda high, r: f"“{r.choice(['攒药买炭', '吃饭睡觉'])}”说了。"), SETTINGS)
    assert noise.las is not None
    assert abs(noise.las) < 0.15
    (named,) = measure(pointing(lambda high, r: "出现方法或计划" if high else "未见方法或计划"), SETTINGS)
    assert named.leaking is not None
    assert named.leaking < 0.7  # names of labels are masked


def test_informativeness_is_the_same_in_any_order_and_says_when_it_is_not_measured() -> None:
    rows = pointing(lambda high, r: f"“{r.choice(['攒药买炭', '吃饭睡觉'])}”说了。", 120)
    first = measure(rows, SETTINGS)
    random.shuffle(rows)
    assert measure(rows, SETTINGS) == first
    assert "fewer than" in measure(rows[:50], SETTINGS)[0].note
    assert measure([], SETTINGS) == []


def judged() -> tuple[list[Row], list[Row]]:
    rows = [
        row("a", "我好累啊，什么都不想做", "“什么都不想做”写的是没有力气，只有感受，没有说到死或者离开。"),
        row("b", "秘密一句话在这里", "“秘密一句话”说得很低落，应当立即就医，别再等了，真的别再等了。", level=3),
        row("c", "秘密的另一句", "x", ("high",), status="refused", level=8),
        row("d", "我好累", "“我好累”是感受。", ("low",), mode="hidden", teacher="m@h"),
    ]
    rows = [replace(r, findings=judge(r.item, r.taught, SETTINGS).findings) for r in rows]
    good = [r for r in rows if all(f.verdict != "fail" for f in r.findings)]
    return good, [r for r in rows if r not in good]


def test_the_summary_counts_and_adds_up() -> None:
    kept, dropped = judged()
    found = summary(kept, dropped, SETTINGS, hidden={"suicide_risk": (2, 1)})
    assert found["rows"] == {"all": 4, "kept": 1, "dropped": 3}
    assert found["reasons"]["medical_advice"]["by_source"] == {"made": 1}
    assert found["reasons"]["refused"]["fail"] == 1
    assert found["kept_by"]["teacher"]["m@h"] == {"kept": 0, "dropped": 1, "share_kept": 0.0}
    assert found["label_hidden"]["suicide_risk"]["agreed"] == 1
    for places in found["kept_by"].values():
        assert sum(v["kept"] + v["dropped"] for v in places.values()) == 4


def test_the_summary_counts_what_does_not_agree_on_one_post() -> None:
    text = "作业写不完，我真的不想活了。"
    calm = row("k", text, "“作业写不完”。", further={"level": 2, "expression": "pain"})
    other = row("k", text, "“我真的不想活了”是愿望。", ("labeling",), "cognitive_distortion")
    found = summary([calm, other, row("j", text, "“作业写不完”。")], [], SETTINGS, slow=False)
    assert found["across"] == {"posts": 1, "wish_elsewhere": 1}


def test_the_report_holds_no_post_unless_asked(tmp_path: Path) -> None:
    kept, dropped = judged()
    write(tmp_path, kept, dropped, SETTINGS, draw=False)
    files = {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()}
    assert set(files) == {"quality.json", "quality.md"}
    assert all("秘密" not in text and "就医" not in text for text in files.values())
    assert "`b-suicide_risk`" in files["quality.md"]
    again = tmp_path / "again"
    write(again, kept, dropped, SETTINGS, draw=False)
    assert (again / "quality.json").read_bytes() == (tmp_path / "quality.json").read_bytes()
    assert json.loads(files["quality.json"])["plots"] == "not drawn"
    write(tmp_path, kept, dropped, SETTINGS, with_text=True, draw=False)
    assert "应当立即就医" in (tmp_path / "quality.md").read_text(encoding="utf-8")


def test_the_report_goes_without_plots_where_there_is_no_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "not installed" in write(tmp_path, *judged(), SETTINGS)["plots"]
    assert not (tmp_path / "quality.png").exists()


def test_plots_are_drawn_where_they_can_be(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib (the extra `train`)")
    assert write(tmp_path, *judged(), SETTINGS)["plots"] == "quality.png"
    first = (tmp_path / "quality.png").read_bytes()
    write(tmp_path, [], [], SETTINGS)
    write(tmp_path, *judged(), SETTINGS)
    assert (tmp_path / "quality.png").read_bytes() == first


def test_lone_surrogates_and_table_marks_do_not_break_the_report(tmp_path: Path) -> None:
    bad = row("\ud800|`", "a\ud800b", "“a\ud800”|\n`x`说了一些别的话，说了一些别的话。")
    bad = replace(bad, findings=(Finding("form", "fail", "failed", "\ud800|"),))
    write(tmp_path, [], [bad], SETTINGS, with_text=True, draw=False)
    assert "\\ud800" in (tmp_path / "quality.md").read_text(encoding="utf-8")
