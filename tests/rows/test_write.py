"""`rows.open_writer`: what is written can be read again, whatever the posts hold. Every post here is invented."""

from __future__ import annotations

import csv
import io
import json
import sys
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm import rows
from mentalglm.errors import UserError
from mentalglm.rows.write import columns
from mentalglm.schema import BadRow, Post, Record, error_record, ok_record
from mentalglm.tasks import NAMES, load

TEXT = '我就是个废物，"真的"\n不想活了。'
MODEL = {"name": "fake", "revision": "0"}


def analysed(post: Post) -> Record:
    labels = ["labeling"]
    p = dict.fromkeys(load("cognitive_distortion").keys, 0.25)
    quote = post.text[:3]
    risk = {
        "labels": ["low"],
        "probabilities": {"low": 0.75, "high": 0.25},
        "evidence": [],
        "explanation": "没有看到，“方法”。",
        "abstained": True,
        "level": 4,
        "expression": "wish",
        "subject": "self",
        "past_attempt": False,
        "dropped_quotes": 2,
    }
    distortion = {
        "labels": [*labels, "self_blame"],
        "probabilities": p,
        "evidence": [{"label": "labeling", "start": 0, "end": len(quote), "quote": quote}],
        "explanation": "…",
        "abstained": False,
        "notes": ["windows"],
    }
    return ok_record(post.id, {"suicide_risk": risk, "cognitive_distortion": distortion}, MODEL)


def write_all(path, form, pairs):
    writer = rows.open_writer(path, form)
    for record, post in pairs:
        writer.write(record, post)
    writer.close()


POST = Post("p1", TEXT, {"城市": "北京", "tags": ["a"], "n": 3, "none": None}, 1)
BAD = BadRow("p2", 2, "empty_text", "row 2 has no text", {"城市": "上海"})
PAIRS = [(analysed(POST), POST), (error_record("p2", "empty_text", "row 2 has no text"), BAD)]


def test_jsonl_is_the_records(tmp_path):
    write_all(tmp_path / "a.jsonl", "jsonl", PAIRS)
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [record for record, _ in PAIRS]
    assert "北京" not in lines[0]


def first_line(path: Path) -> list[str]:
    return path.read_text("utf-8").split("\n")[0].split(",")


def check_table(read: list[dict], number, true) -> None:
    first, second = read
    assert list(first)[:6] == ["id", "text", "城市", "tags", "n", "none"]
    assert (first["id"], first["text"], first["城市"], first["tags"]) == ("p1", TEXT, "北京", '["a"]')
    assert first["suicide_risk.labels"] == "low"
    assert first["suicide_risk.p.high"] == number(0.25)
    assert first["suicide_risk.abstained"] == true
    assert first["suicide_risk.level"] == number(4)
    assert first["suicide_risk.dropped_quotes"] == number(2)
    assert first["cognitive_distortion.labels"] == "labeling|self_blame"
    evidence = json.loads(first["cognitive_distortion.evidence"])
    assert evidence == [{"label": "labeling", "start": 0, "end": 3, "quote": "我就是"}]
    assert first["cognitive_distortion.notes"] == "windows"
    assert not any(name.startswith("cognitive_pathway") for name in first)
    assert (second["status"], second["error.code"], second["城市"]) == ("error", "empty_text", "上海")
    assert not second["suicide_risk.labels"]


def test_csv_has_the_columns_of_the_contract(tmp_path):
    write_all(tmp_path / "a.csv", "csv", PAIRS)
    assert not (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as f:
        check_table(list(csv.DictReader(f)), str, "true")


def test_parquet_has_the_same_columns_with_types(tmp_path):
    write_all(tmp_path / "a.parquet", "parquet", PAIRS)
    check_table(pq.read_table(tmp_path / "a.parquet").to_pylist(), lambda n: n, True)


def test_csv_and_parquet_agree_on_their_columns(tmp_path):
    for form in ("csv", "parquet"):
        write_all(tmp_path / f"a.{form}", form, PAIRS)
    header = first_line(tmp_path / "a.csv")
    assert pq.read_schema(tmp_path / "a.parquet").names == header


def test_a_task_that_failed_says_so(tmp_path):
    record = ok_record(
        "p1", analysed(POST)["analyses"] | {"suicide_risk": {"error": {"code": "model", "message": "x"}}}, MODEL
    )
    write_all(tmp_path / "a.csv", "csv", [(record, POST)])
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as f:
        row = next(csv.DictReader(f))
    assert row["suicide_risk.error"] == "model: x"
    assert row["suicide_risk.labels"] == ""


def test_an_input_column_with_our_name_is_renamed(tmp_path):
    post = Post("p1", "好累", {"status": "sent", "suicide_risk.labels": "high"}, 1)
    write_all(tmp_path / "a.csv", "csv", [(analysed(post), post)])
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as f:
        row = next(csv.DictReader(f))
    assert (row["status"], row["input.status"], row["input.suicide_risk.labels"]) == ("ok", "sent", "high")
    assert row["suicide_risk.labels"] == "low"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_nothing_and_only_errors_have_all_columns(tmp_path, form):
    path = tmp_path / f"a.{form}"
    for pairs in ([], PAIRS[1:]):
        write_all(path, form, pairs)
        names = pq.read_schema(path).names if form == "parquet" else first_line(path)
        assert set(columns(NAMES)) <= set(names)


def test_more_than_one_row_group(tmp_path):
    posts = [Post(str(i), f"第{i}条", {"x": str(i)}, i) for i in range(2500)]
    write_all(tmp_path / "a.parquet", "parquet", [(analysed(post), post) for post in posts])
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [1000, 1000, 500]
    assert file.read().column("text").to_pylist()[-1] == "第2499条"


def test_columns_that_come_late_are_left_out_with_a_warning(tmp_path):
    posts = [Post(str(i), "好", {"late": "x"} if i == 1500 else {}, i) for i in range(2000)]
    with pytest.warns(UserWarning, match="left out"):
        write_all(tmp_path / "a.csv", "csv", [(analysed(post), post) for post in posts])


def test_standard_output(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    write_all(None, "jsonl", PAIRS[:1])
    assert json.loads(raw.getvalue()) == PAIRS[0][0]
    with pytest.raises(UserError, match="standard output"):
        rows.open_writer(None, "parquet")
    with pytest.raises(UserError, match=r"end the output in"):
        rows.open_writer(None, "xlsx")


@given(st.lists(st.text(st.characters(), min_size=1, max_size=20), min_size=1, max_size=4))
def test_any_text_survives(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("any")
    posts = [Post(str(i), text, {"t": text}, i) for i, text in enumerate(texts)]
    pairs = [(analysed(post), post) for post in posts]
    for form in ("jsonl", "csv", "parquet"):
        write_all(folder / f"a.{form}", form, pairs)
    lines = (folder / "a.jsonl").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line) for line in lines] == [json.loads(json.dumps(record)) for record, _ in pairs]
    shown = ["".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text) for text in texts]
    assert pq.read_table(folder / "a.parquet").column("text").to_pylist() == shown
    with (folder / "a.csv").open(encoding="utf-8", newline="") as f:
        assert [row["text"] for row in csv.DictReader(f)] == shown


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_lone_surrogate_is_one_character_so_that_offsets_fit(tmp_path, form):
    post = Post("p1", "\ud83d废物啊", {"列\ud800": "\udfff"}, 1)
    write_all(tmp_path / f"a.{form}", form, [(analysed(post), post)])
    (row,) = read_back(tmp_path / f"a.{form}")
    assert row["text"] == "\ufffd废物啊"
    assert row["列\ufffd"] == "\ufffd"
    (found,) = json.loads(row["cognitive_distortion.evidence"])
    assert found["quote"] == row["text"][found["start"] : found["end"]]


def read_back(path: Path) -> list[dict]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def test_evidence_of_a_parent_that_repeats_its_child_stands_once(tmp_path):
    keys = load("cognitive_pathway").keys
    child = {"label": "event.emotion", "start": 0, "end": 2, "quote": "分手"}
    own = {"label": "belief", "start": 2, "end": 3, "quote": "了"}
    pathway = {
        "labels": ["event", "event.emotion", "belief"],
        "probabilities": dict.fromkeys(keys, 0.5),
        "evidence": [child | {"label": "event"}, child, own],
        "explanation": "…",
        "abstained": False,
        "sentences": [],
    }
    post = Post("p1", "分手了", {}, 1)
    write_all(tmp_path / "a.csv", "csv", [(ok_record("p1", {"cognitive_pathway": pathway}, MODEL), post)])
    (row,) = read_back(tmp_path / "a.csv")
    assert json.loads(row["cognitive_pathway.evidence"]) == [child, own]


def test_an_output_can_be_an_input(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_all(tmp_path / "a.csv", "csv", PAIRS)
        again = list(rows.read(tmp_path / "a.csv"))
        write_all(tmp_path / "a.parquet", "parquet", PAIRS)
        from_parquet = list(rows.read(tmp_path / "a.parquet"))
    assert isinstance(again[0], Post)
    assert again[0].text == TEXT
    assert isinstance(again[1], BadRow)
    assert isinstance(from_parquet[0], Post)
    assert from_parquet[0].text == TEXT
