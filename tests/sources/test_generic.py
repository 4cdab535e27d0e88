"""A table of one's own with a mapping, in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from mentalglm.errors import MissingError, UserError
from mentalglm.sources import find, generic
from mentalglm.sources.source import Reading
from tests.sources.published import table, write

ROWS = [
    {"nr": "a1", "帖子": "没评上，这辈子都评不上了", "标签": "泛化|算命", "强度": "2", "说明": "由一次推到一生", "人": "p1"},
    {"nr": "a2", "帖子": "我就是块烂木头", "标签": "乱贴标签", "强度": "3", "说明": "", "人": "p1"},
    {"nr": "a3", "帖子": "今天买了两斤橘子", "标签": "无", "强度": "0", "说明": "", "人": "p2"},
]  # fmt: skip
MAP = {"泛化": "overgeneralization", "算命": "fortune_telling", "无": ""}


def mapping(path: str, **more: Any) -> generic.Mapping:
    plain = {
        "key": "mine", "task": "cognitive_distortion", "files": {"train": path}, "text": "帖子", "id": "nr",
        "labels": "标签", "separator": "|", "label_map": MAP, "level": "强度", "explanation": "说明", "group": "人",
    }  # fmt: skip
    return generic.Mapping(**{k: v for k, v in (plain | more).items() if v is not None})


def read(folder: Path, given: generic.Mapping) -> Reading:
    return find.read(generic.source(given), folder)


def save(folder: Path, ending: str, rows: list[dict[str, Any]] = ROWS) -> str:
    path = folder / f"mine.{ending}"
    names = list(rows[0])
    if ending == "jsonl":
        write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    elif ending == "csv":
        write(path, table(names, [[str(v) for v in row.values()] for row in rows]).encode("gb18030"))
    elif ending == "tsv":
        write(path, "\r\n".join("\t".join(map(str, x)) for x in [names, *(row.values() for row in rows)]))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path.name


@pytest.mark.parametrize("ending", ["jsonl", "csv", "tsv", "parquet"])
def test_every_format(tmp_path, ending):
    one, two, three = read(tmp_path, mapping(save(tmp_path, ending))).rows
    assert one.labels == ("overgeneralization", "fortune_telling")
    assert (one.id, one.level, one.explanation, one.group, one.part) == (
        "mine-a1",
        2,
        "由一次推到一生",
        "mine/p1",
        "train",
    )
    assert (two.labels, two.explanation) == (("labeling",), None)
    assert three.labels == ()


def test_all_unknown_labels_and_columns_are_said_at_once(tmp_path):
    path = save(tmp_path, "jsonl", [{**row, "标签": f"甲{n}|乙"} for n, row in enumerate(ROWS)])
    with pytest.raises(UserError) as error:
        read(tmp_path, mapping(path, level="级别", group="家庭"))
    assert "'乙' (3), '甲0' (1), '甲1' (1), '甲2' (1)" in str(error.value)
    assert "no column '级别', '家庭'" in str(error.value)


def test_lists_in_json_and_one_hot_columns(tmp_path):
    listed = [{**row, "标签": str(row["标签"]).split("|")} for row in ROWS]
    one = read(tmp_path, mapping(save(tmp_path, "jsonl", listed), separator=None)).rows
    hot = [
        {
            "nr": row["nr"],
            "帖子": row["帖子"],
            **{name: int(name in str(row["标签"])) for name in ("泛化", "算命", "乱贴标签")},
        }
        for row in ROWS
    ]
    given = mapping(
        save(tmp_path, "csv", hot), labels=["泛化", "算命", "乱贴标签"], separator=None, level=None, group=None,
        explanation=None,
    )  # fmt: skip
    assert [row.labels for row in one] == [row.labels for row in read(tmp_path, given).rows]


def test_a_single_label_task_wants_one(tmp_path):
    rows = [
        {"text": "甲", "y": "低"},
        {"text": "乙", "y": ""},
        {"text": "丙", "y": "低,高"},
        {"text": "丁", "y": "high"},
    ]
    given = generic.Mapping(
        key="risk", task="suicide_risk", files={"all": save(tmp_path, "jsonl", rows)}, labels="y", separator=",",
        label_map={"低": "low", "高": "high"},
    )  # fmt: skip
    reading = read(tmp_path, given)
    assert [(row.id, row.labels) for row in reading.rows] == [("risk-all-0001", ("low",)), ("risk-all-0004", ("high",))]
    assert [row.code for row in reading.rejected] == ["one_hot", "one_hot"]


def test_the_split_may_stand_in_a_column(tmp_path):
    rows = [{"text": t, "split": s} for t, s in (("甲", "dev"), ("乙", "test"), ("丙", ""), ("丁", "held"))]
    given = generic.Mapping(key="mine", task="suicide_risk", files={"all": save(tmp_path, "csv", rows)}, part="split")
    reading = read(tmp_path, given)
    assert [(row.part, row.labels) for row in reading.rows] == [("validation", None), ("test", None), ("", None)]
    assert len(reading.rejected) == 1


def test_a_pathway_table_has_a_sentence_a_row(tmp_path):
    rows = [{"text": "面试又没过 ", "y": "触发性事件,触发性事件##学习工作"}, {"text": "下雨", "y": ""}]
    given = generic.Mapping(
        key="p", task="cognitive_pathway", files={"test": save(tmp_path, "tsv", rows)}, labels="y", separator=","
    )
    with pytest.raises(UserError, match="unknown labels"):  # a parent alone is no label of a sentence
        read(tmp_path, given)
    rows[0]["y"] = "触发性事件##学习工作"
    save(tmp_path, "tsv", rows)
    one, other = read(tmp_path, given).rows
    assert one.sentences == ((0, 5, ("event.study_work",)),)
    assert one.labels == ("event", "event.study_work")
    assert other.sentences == ((0, 2, ()),)


def test_repeated_ids_are_told_apart_and_bad_rows_are_rejected(tmp_path):
    lines = ['{"nr": "x", "帖子": "甲"}', '{"nr": "x", "帖子": "乙"}', '{"nr": "y", "帖子": " "}', "{"]
    write(tmp_path / "m.jsonl", "\n".join(lines))
    given = mapping("m.jsonl", labels=None, separator=None, label_map=None, level=None, explanation=None, group=None)
    reading = read(tmp_path, given)
    assert [row.id for row in reading.rows] == ["mine-x", "mine-x~2"]
    assert [(row.line, row.code) for row in reading.rejected] == [(3, "empty_text"), (4, "bad_json")]


def test_every_file_of_a_mapping_must_be_there(tmp_path):
    save(tmp_path, "csv")
    with pytest.raises(MissingError, match=r"other\.csv is not in"):
        read(tmp_path, mapping("mine.csv", files={"train": "mine.csv", "test": "other.csv"}))


def test_a_mapping_that_cannot_be(tmp_path):
    for wrong in (
        {"label_map": {"甲": "high"}}, {"labels": None}, {"key": "Mine"}, {"files": {}}, {"colour": "red"},
        {"files": {"trian": "a.csv"}},
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            mapping("mine.csv", **wrong)
