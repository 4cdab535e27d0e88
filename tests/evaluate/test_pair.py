"""Reading and matching: every form of a prediction, and everything that can be wrong with one, named and counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.errors import UserError
from mentalglm.evaluate import pair, scores, spaces
from mentalglm.evaluate.answers import Fault, answer, bits

RISK, MULTI, PATHWAY = (spaces.load(n) for n in ("suicide_risk", "cognitive_distortion", "cognitive_pathway"))


def save(path: Path, rows: list) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x, ensure_ascii=False)) + "\n" for x in rows))
    return path


def gold_of(tmp_path: Path, rows: list | None = None, space=RISK, **more) -> pair.Gold:
    rows = rows or [{"id": f"p{n}", "labels": ["high" if n % 2 else "low"]} for n in range(6)]
    return pair.read_gold(save(tmp_path / "gold.jsonl", rows), space, **more)


def right(gold: pair.Gold) -> list[dict]:
    return [{"id": i, "labels": ["high" if y else "low"]} for i, y in zip(gold.ids, gold.labels[:, 1], strict=True)]


def system_of(tmp_path: Path, gold: pair.Gold, rows: list) -> pair.System:
    return pair.read_system(save(tmp_path / "pred.jsonl", rows), "a", gold)


def test_what_is_right_is_read_so(tmp_path):
    gold = gold_of(tmp_path)
    system = system_of(tmp_path, gold, right(gold)[::-1])  # the order is that of the ids
    assert (system.labels == gold.labels).all()
    assert not system.failed.any()
    assert not system.problems.counts


BAD = {
    "missing": (None, 1),
    "unknown_label": ({"labels": ["hight"]}, 2),
    "several_labels": ({"labels": ["high", "low"]}, 2),
    "no_labels": ({"labels": []}, 2),
    "error_row": ({"status": "error", "error": {"code": "unparsed", "message": "x"}}, 2),
    "no_analysis": ({"status": "ok", "analyses": {"cognitive_distortion": {"labels": []}}}, 1),
}


@pytest.mark.parametrize("code", BAD)
def test_what_is_no_answer_is_named_and_wrong(tmp_path, code):
    gold = gold_of(tmp_path)
    rows = right(gold)
    row, status = BAD[code]
    rows = [r for r in rows if r["id"] != "p0"] + ([{"id": "p0"} | row] if row else [])
    system = system_of(tmp_path, gold, rows)
    assert system.problems.counts == {code: 1}
    assert system.problems.examples[code][0].startswith("p0")
    assert system.status.tolist() == [status, 0, 0, 0, 0, 0]
    found = scores.of_system(gold, system, 100)
    assert found["metrics"]["accuracy"].value == pytest.approx(5 / 6)
    assert found["metrics"]["f1"].value == pytest.approx(6 / 7)  # p0 is low, and never counts as low for having failed
    assert (found["missing"], found["unparsed"]) == (int(status == 1), int(status == 2))


def test_null_and_absent_labels(tmp_path):
    gold = gold_of(tmp_path)
    system = system_of(tmp_path, gold, [*right(gold)[2:], {"id": "p0", "labels": None}, {"id": "p1"}])
    assert system.problems.counts == {"no_labels": 2}


def test_an_extra_id_a_row_of_another_task_and_a_broken_line_are_set_aside_and_counted(tmp_path):
    gold = gold_of(tmp_path)
    more = [
        {"id": "zz", "labels": ["high"]},
        {"id": "p1", "task": "cognitive_distortion", "labels": ["mind_reading"]},
        '{"id": "p9", ',
        "[1]",
        {"labels": ["high"]},
    ]
    system = system_of(tmp_path, gold, right(gold) + more)
    assert system.problems.counts == {"extra": 1, "other_task": 1, "unreadable": 2, "no_id": 1}
    assert not system.failed.any()


def test_an_id_given_twice(tmp_path):
    gold = gold_of(tmp_path)
    rows = right(gold)
    same = system_of(tmp_path, gold, [*rows, rows[0]])
    assert same.problems.counts == {"duplicate": 1}
    assert not same.failed.any()
    for more in ([{"id": "p0", "labels": ["high"]}], [{"id": "p0", "labels": ["high"]}, rows[0], rows[0]]):
        several = system_of(tmp_path, gold, rows + more)
        assert several.problems.counts == {"conflict": 1}  # two answers are none, whichever came first
        assert several.status.tolist() == [pair.UNPARSED, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("p", "why"),
    [
        ({"low": float("nan"), "high": 0.5}, "NaN"),
        ({"low": 0.4, "high": 0.4}, "sum to 0.800"),
        ({"low": 1.2, "high": -0.2}, "outside"),
        ({"high": 1.0}, "none for low"),
        ({"low": 0.5, "high": 0.5, "mid": 0.0}, "unknown"),
        ({"low": "x", "high": 0.5}, "NaN or no number"),
        ({"low": None, "high": 1}, "NaN or no number"),
        ([0.5, 0.5], "no object"),
    ],
)
def test_probabilities_that_are_none(tmp_path, p, why):
    gold = gold_of(tmp_path)
    rows = [r | {"probabilities": {"low": 0.3, "high": 0.7}} for r in right(gold)]
    rows[2]["probabilities"] = p
    system = system_of(tmp_path, gold, rows)
    assert system.problems.counts == {"bad_probabilities": 1}
    assert why in system.problems.examples["bad_probabilities"][0]
    assert not system.failed.any()  # the label stands
    found = scores.of_system(gold, system, 50)["calibration"]
    assert (found["n"], found["left_out"]) == (5, 1)


def test_probabilities_null_are_none_and_no_problem(tmp_path):
    gold = gold_of(tmp_path)
    system = system_of(tmp_path, gold, [r | {"probabilities": None} for r in right(gold)])
    assert system.p is None
    assert not system.problems.counts


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"id": "a", "labels": ["hgih"]}, {"id": "b", "labels": []}], "1 rows with an unknown label"),
        ([{"id": "a", "labels": ["hgih"]}, {"id": "b", "labels": []}], "1 rows without an answer"),
        ([{"id": "a", "labels": ["low"]}, {"id": "a", "labels": ["high"]}], "several times with different answers"),
        (["{"], "cannot be read"),
        ([{"id": "a", "task": "cognitive_pathway", "labels": ["event"]}], "it has cognitive_pathway (1)"),
    ],
)
def test_gold_that_cannot_be_scored_against_is_refused_with_all_its_problems(tmp_path, rows, words):
    with pytest.raises(UserError, match="gold") as error:
        gold_of(tmp_path, rows)
    assert words in str(error.value)


def test_gold_of_several_tasks_a_duplicate_and_a_class_without_gold_are_counted(tmp_path):
    rows = [
        {"id": "a", "task": "suicide_risk", "labels": ["low"]},
        {"id": "a", "task": "suicide_risk", "labels": ["low"]},
        {"id": "a:d", "task": "cognitive_distortion", "labels": []},
        {"id": "b", "task": "suicide_risk", "labels": ["low"]},
    ]
    gold = gold_of(tmp_path, rows)
    assert gold.problems.counts == {"duplicate": 1, "other_task": 1}
    assert gold.absent == ["high"]
    found = scores.everything(gold, {"a": [system_of(tmp_path, gold, rows)]}, 50)
    assert found["gold"]["classes_without_gold"] == ["high"]
    assert found["metrics"]["f1"]["low"] is None


@pytest.mark.parametrize("text", ["", "\n\n", "[]"])
def test_an_empty_file(tmp_path, text):
    (tmp_path / "gold.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"empty|no rows"):
        pair.read_gold(tmp_path / "gold.jsonl", RISK)
    gold = gold_of(tmp_path)
    (tmp_path / "pred.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"empty|no rows"):
        pair.read_system(tmp_path / "pred.jsonl", "a", gold)


def test_predictions_of_other_posts_are_refused_with_an_id_to_compare(tmp_path):
    gold = gold_of(tmp_path)
    with pytest.raises(UserError, match=r"for any of the 6 gold ids: .*'p0'"):
        system_of(tmp_path, gold, [{"id": "x", "labels": ["low"]}])


def test_a_row_without_an_id_has_its_number_in_the_gold(tmp_path):
    gold = gold_of(tmp_path, [{"labels": ["low"]}, {"labels": ["high"]}])
    assert gold.ids == ["1", "2"]
    assert system_of(tmp_path, gold, [{"id": 1, "labels": "low"}]).status.tolist() == [0, 1]


def test_groups(tmp_path):
    rows = [{"id": str(n), "labels": ["low"], "who": f"w{n // 2}"} for n in range(6)]
    groups = gold_of(tmp_path, rows, group="who").groups
    assert groups is not None
    assert groups.tolist() == [0, 0, 1, 1, 2, 2]
    del rows[3]["who"]
    with pytest.raises(UserError, match=r"row 4 .* has no 'who'"):
        gold_of(tmp_path, rows, group="who")


@given(st.sets(st.sampled_from(MULTI.keys)), st.sampled_from(["list", "joined", "names", "flat", "record"]))
def test_every_form_of_an_answer_is_the_same(labels, form):
    names = {key: name for name, key in MULTI.names.items()}
    inner = {"labels": sorted(labels), "probabilities": None}
    row = {
        "list": {"id": "a", "labels": sorted(labels)},
        "joined": {"id": "a", "labels": "|".join(sorted(labels))},
        "names": {"id": "a", "labels": [names[k] for k in labels]},
        "flat": {"id": "a", "status": "ok", "cognitive_distortion.labels": "|".join(labels)},
        "record": {"id": "a", "status": "ok", "analyses": {"cognitive_distortion": inner, "suicide_risk": {}}},
    }[form]
    said = answer(row, MULTI, bits(MULTI))
    assert {k for i, k in enumerate(MULTI.keys) if said.mask >> i & 1} == labels


def test_a_label_is_never_found_inside_another_word():
    for text in ("highly", "not high", "HIGH", "high risk", ""):
        with pytest.raises(Fault):
            answer({"labels": [text]}, RISK, bits(RISK))


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_what_analyze_writes(tmp_path, ending):
    from mentalglm.rows import open_writer
    from mentalglm.schema import Post, error_record, ok_record

    model = {"name": "x", "revision": "1"}
    analysis = {
        "labels": ["high"],
        "probabilities": {"low": 0.2, "high": 0.8},
        "evidence": [],
        "explanation": "x",
        "abstained": True,
    }
    gold = gold_of(
        tmp_path, [{"id": "a", "labels": ["high"]}, {"id": "b", "labels": ["high"]}, {"id": "c", "labels": ["low"]}]
    )
    writer = open_writer(tmp_path / f"pred.{ending}", ending)
    writer.write(ok_record("a", {"suicide_risk": analysis}, model), Post("a", "好累", {}, 1))
    writer.write(error_record("b", "model", "it failed", model), Post("b", "好累", {}, 2))
    partly = {"suicide_risk": {"error": {"code": "unparsed", "message": "x"}}}
    writer.write(ok_record("c", partly, model), Post("c", "好累", {}, 3))
    writer.close()
    system = pair.read_system(tmp_path / f"pred.{ending}", "a", gold)
    assert system.status.tolist() == [pair.OK, pair.UNPARSED, pair.UNPARSED]
    assert system.problems.counts == {"error_row": 2}
    assert system.labels.tolist() == [[False, True], [False, False], [False, False]]
    assert system.abstained.tolist() == [True, False, False]
    assert system.p is not None
    np.testing.assert_allclose(system.p[0], [0.2, 0.8])


def test_rows_of_a_dataset_are_gold(tmp_path):
    row = {
        "id": "k:cognitive_pathway", "key": "k", "task": "cognitive_pathway", "split": "test", "text": "被骂了。都怪我。",
        "labels": ["event", "event.study_work", "belief", "belief.blame"], "summary": None,
        "sentences": [{"start": 0, "end": 4, "labels": ["event", "event.study_work"]},
                      {"start": 4, "end": 8, "labels": ["belief", "belief.blame"]}],
    }  # fmt: skip
    summary = {"id": "k:pathway_summary", "task": "pathway_summary", "labels": [], "sentences": [],
               "summary": {"event": "被骂", "belief": None, "consequence": None, "disputation": None}}  # fmt: skip
    gold = gold_of(tmp_path, [row, summary], PATHWAY)
    assert gold.ids == ["k:cognitive_pathway"]
    assert [s[:2] for s in gold.said[0].sentences or ()] == [(0, 4), (4, 8)]
    summaries = gold_of(tmp_path, [row, summary], spaces.load("pathway_summary"))
    assert summaries.said[0].summary == ("被骂", None, None, None)
