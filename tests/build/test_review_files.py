"""What goes to experts and comes back: the sample, verdicts applied by a rebuild, stale ones counted, bad files named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mentalglm import runs, tasks
from mentalglm.build import review
from mentalglm.errors import UserError
from mentalglm.tasks.answer import parse
from tests.build import exported, invented
from tests.build.invented import Row, accounted, call, dropped, kept


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return invented.built(tmp_path_factory)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    invented.quick(monkeypatch)


def verdict(asked: Row, said: str, **more: Any) -> Row:
    return (
        {k: asked[k] for k in ("key", "task", "task_version", "answer_hash")} | {"verdict": said, "rater": "r1"} | more
    )


def rebuild(built: tuple[Path, Path], at: Path, lines: list[Row]) -> tuple[Any, Path]:
    file = invented.write(at / "verdicts.jsonl", lines)
    out = at / "out"
    return call("build", invented.recipe(at / "r.toml"), "--from", built[0], "--out", out, "--verdicts", file), out


def first_clause(text: str) -> tuple[int, int]:
    words = invented.clause(text)
    return text.index(words), text.index(words) + len(words)


# --- the sample


def test_the_sample_is_in_the_format_of_the_review_tool(built: tuple[Path, Path]) -> None:
    rows = {(r["key"], r["task"]): r for r in kept(built[1])}
    asked = invented.read(built[1] / "review" / "sample.jsonl")
    assert Counter(a["task"] for a in asked) == {"suicide_risk": 10, "cognitive_distortion": 10}
    for a in asked:
        row = rows[a["key"], a["task"]]
        assert a["format"] == review.FORMAT
        assert a["text"] == row["text"]
        assert a["answer"]["labels"] == row["labels"]
        assert a["answer"]["explanation"] == row["explanation"]
        assert a["answer_hash"] == review.answer_hash(row)
        assert a["task_version"] == tasks.load(a["task"]).version
    risk = [a for a in asked if a["task"] == "suicide_risk"]
    assert {a["teacher"] for a in risk} == {"existing", "offline"}
    assert {a["answer"]["labels"][0] for a in risk} == {"low", "high"}


def test_rare_labels_and_disagreements_are_seen_as_often_as_common_rows() -> None:
    rows = [exported.row(n) for n in range(60)]
    rows += [exported.row(n, labels=["labeling", "mind_reading"]) for n in range(60, 63)]
    rows += [exported.row(n, hidden_labels=[], hidden_agrees=False, mode="hidden") for n in range(63, 66)]
    taken = review.sample(rows, 9)
    by = {r["id"]: r for r in rows}
    assert sum("labeling" in by[t["id"]]["labels"] for t in taken) == 3
    assert sum(by[t["id"]]["hidden_agrees"] is False for t in taken) == 3
    assert review.sample(list(reversed(rows)), 9) == taken
    assert len(review.sample(rows, 1000)) == 66
    assert review.sample(rows, 0) == []


# --- verdicts come back


@pytest.fixture(scope="module")
def judged(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Any, Path]:
    """The sample, and a rebuild with verdicts on it: 0 accepted, 1 edited (words), 2 rejected, 3 edited (label), 4 stale."""
    with pytest.MonkeyPatch.context() as patch:
        invented.quick(patch)
        asked = [a for a in invented.read(built[1] / "review" / "sample.jsonl") if a["task"] == "cognitive_distortion"]
        start, end = first_clause(asked[3]["text"])
        lines = [
            verdict(asked[0], "reject", reason="other"),  # a later line for the same holds
            verdict(asked[0], "accept"),
            verdict(asked[1], "edit", explanation=words(asked[1])),
            verdict(asked[2], "reject", reason="restates_label"),
            verdict(asked[3], "edit", labels=["other_blame"],
                    evidence=[{"label": "other_blame", "start": start, "end": end}]),
            verdict(asked[4], "reject", reason="wrong_label") | {"answer_hash": "0" * 16},
            verdict(asked[5], "accept") | {"task_version": "0.1"},
            verdict(asked[6], "accept") | {"key": "0" * 32},
        ]  # fmt: skip
        done, out = rebuild(built, tmp_path_factory.mktemp("judged"), lines)
    return asked, done, out


def words(asked: Row) -> str:
    start, end = first_clause(asked["text"])
    return f"专家改写：“{asked['text'][start:end]}”一句没有别的依据。\u2028另起一行。"


def test_a_rebuild_keeps_verdicts(built: tuple[Path, Path], judged: tuple[list[Row], Any, Path]) -> None:
    asked, done, out = judged
    assert done.code == 0, done
    rows = {r["key"]: r for r in kept(out) if r["task"] == "cognitive_distortion"}
    accepted, worded, _, labelled, stale, old = (rows.get(a["key"]) for a in asked[:6])
    assert accepted is not None
    assert accepted["verdict"] == "accepted"
    assert accepted["explanation"] == asked[0]["answer"]["explanation"]
    assert worded is not None
    assert (worded["verdict"], worded["explanation"]) == ("edited", words(asked[1]))
    assert labelled is not None
    assert labelled["labels"] == ["other_blame"]
    for row in (worded, labelled):  # what a model is trained on is what the expert wrote
        found = parse(tasks.load(row["task"]), row["messages"][1]["content"], row["text"])
        assert (list(found.labels), found.explanation) == (row["labels"], row["explanation"])
        assert [q.quote for q in found.evidence] == [e["quote"] for e in row["evidence"]]
    assert asked[2]["key"] not in rows
    (gone,) = [r for r in dropped(out) if r["reason"] == "rejected_by_expert"]
    assert (gone["id"], gone["detail"]) == (asked[2]["id"], "restates_label")
    assert stale is not None
    assert old is not None
    assert stale["verdict"] == old["verdict"] == ""
    assert accounted(out) == accounted(built[1])


def test_verdicts_are_counted_held_stale_and_without_a_row(judged: tuple[list[Row], Any, Path]) -> None:
    _, _, out = judged
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["expert_verdicts"] == {"held": 4, "stale": 2, "without_row": 1}
    assert manifest["counts"]["verdicts"] == {"accepted": 1, "edited": 2, "": len(kept(out)) - 3}
    assert "verdicts" in manifest["inputs"]
    assert "in part checked by people: 3 of" in (out / "README.md").read_text(encoding="utf-8")
    assert runs.verify(out) == []


def test_what_was_worded_anew_has_lost_its_verdict(built: tuple[Path, Path], tmp_path: Path) -> None:
    asked = next(a for a in invented.read(built[1] / "review" / "sample.jsonl") if a["teacher"] == "existing")
    source = invented.copy(built[0], tmp_path / "source")
    for path in (source / "sos_4k").iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace(asked["answer"]["explanation"], asked["answer"]["explanation"][:-1] + "，没有别的。"), "utf-8"
        )
    done, out = rebuild((source, built[1]), tmp_path, [verdict(asked, "accept")])
    assert done.code == 0, done
    counts = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["counts"]
    assert counts["expert_verdicts"] == {"held": 0, "stale": 1, "without_row": 0}
    assert {r["verdict"] for r in kept(out)} == {""}


def test_verdicts_that_cannot_be_applied_are_all_named(built: tuple[Path, Path], tmp_path: Path) -> None:
    asked = invented.read(built[1] / "review" / "sample.jsonl")
    one = [a for a in asked if a["task"] == "cognitive_distortion"]
    lines = [
        verdict(one[0], "edit", labels=["no_such_label"]),
        verdict(one[1], "edit", evidence=[{"label": one[1]["answer"]["labels"][0], "start": 0, "end": 9999}]),
        verdict(next(a for a in asked if a["task"] == "suicide_risk"), "edit", labels=["low", "high"]),
    ]
    done, out = rebuild(built, tmp_path, lines)
    assert done.code == 2
    last = done.err.splitlines()[-1]
    assert last.startswith("mentalglm: verdicts that cannot be applied: ")
    assert "unknown label 'no_such_label'" in last
    assert "evidence that is not in the post" in last
    assert "not exactly one label" in last
    assert one[0]["id"] in last
    assert not (out / "manifest.json").exists()


# --- what an edit may change


def edit(row: Row, **more: Any) -> Row | str:
    asked = {"key": "0" * 32, "task": row["task"], "task_version": "1.0", "answer_hash": "x", "verdict": "edit"}
    return review.edited(row, review.Verdict.model_validate(asked | more))


def test_a_label_without_evidence_is_no_edit() -> None:
    row = exported.row()
    assert edit(row, labels=["mind_reading", "labeling"]) == "no evidence for 'labeling'"
    assert (
        edit(row, labels=["labeling"])
        == "evidence for 'mind_reading', which is no label of the row: give the evidence anew"
    )
    both = edit(row, labels=["labeling", "mind_reading"],
                evidence=[{"label": k, "start": 9, "end": 20} for k in ("labeling", "mind_reading")])  # fmt: skip
    assert isinstance(both, dict)
    assert both["labels"] == ["mind_reading", "labeling"]  # in the order of the task
    assert {e["quote"] for e in both["evidence"]} == {row["text"][9:20]}
    assert edit(row, labels=[], evidence=[]) == row | {"labels": [], "evidence": []}


def test_a_level_does_not_argue_against_an_experts_label() -> None:
    row = exported.row(task="suicide_risk")
    high = edit(row, labels=["high"], evidence=[{"label": "high", "start": 0, "end": 4}])
    assert isinstance(high, dict)
    assert (high["labels"], high["level"], high["expression"]) == (["high"], None, None)
    worded = edit(row, explanation="只写了自责。")
    assert isinstance(worded, dict)
    assert (worded["level"], worded["expression"]) == (2, "pain")


def test_a_child_brings_its_parent() -> None:
    row = exported.row(task="cognitive_pathway")
    changed = edit(row, labels=["belief.labeling"], evidence=[{"label": "belief.labeling", "start": 0, "end": 4}])
    assert isinstance(changed, dict)
    assert changed["labels"] == ["belief", "belief.labeling"]


# --- bad files


GOOD = {"key": "0" * 32, "task": "suicide_risk", "task_version": "1.0", "answer_hash": "x", "verdict": "accept"}


def test_a_bad_file_is_named_line_by_line(tmp_path: Path) -> None:
    bad: list[Any] = [
        GOOD,
        GOOD | {"key": "short"},
        {k: v for k, v in GOOD.items() if k != "task"},
        GOOD | {"verdict": "maybe"},
        GOOD | {"verdict": "reject"},
        GOOD | {"verdict": "edit"},
        GOOD | {"verdict": "edit", "evidence": [{"label": "low", "start": -1, "end": 2}]},
    ]
    path = tmp_path / "v.jsonl"
    path.write_text("\n".join([*map(json.dumps, bad), "", "{not json"]), encoding="utf-8")
    with pytest.raises(UserError) as error:
        review.read_verdicts(path)
    said = str(error.value)
    for line in (
        "line 2: key",
        "line 3: task",
        "line 4: verdict",
        "line 5: the reason None is none of",
        "line 6: an edit",
    ):
        assert line in said, said
    assert "and 2 more" in said
    assert "line 1:" not in said


def test_through_the_command_line_a_bad_file_stops_the_build_before_it_begins(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    done, out = rebuild(built, tmp_path, [GOOD | {"verdict": "maybe"}])
    assert done.code == 2
    assert "verdicts.jsonl: line 1: verdict: " in done.line
    assert not out.exists()
    done = call("build", tmp_path / "r.toml", "--from", built[0], "--out", out, "--verdicts", tmp_path / "none.jsonl")
    assert done.code == 2
    assert "there are no verdicts at" in done.line
    (tmp_path / "gb.jsonl").write_bytes("裁定".encode("gb18030"))
    done = call("build", tmp_path / "r.toml", "--from", built[0], "--out", out, "--verdicts", tmp_path / "gb.jsonl")
    assert "is not UTF-8 (byte 0)" in done.line


def test_a_file_with_a_mark_at_its_beginning_and_odd_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    said = "前一行\u2028后一行\x85"
    lines = [json.dumps(GOOD | {"verdict": "edit", "explanation": said, "n": n}, ensure_ascii=False) for n in range(2)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    (found,) = review.read_verdicts(path).values()
    assert found.explanation == said
