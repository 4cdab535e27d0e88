"""The pathway's published formats, on invented posts: text lines, the annotation tool's spans, summaries; clinical
records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.errors import MissingError, UserError
from mentalglm.sources import catalogue, check, clinical, find, pathway
from mentalglm.sources.labelled import Labelled, Sentence
from mentalglm.sources.source import Reading, Unusable
from mentalglm.tasks import load
from tests.sources import published as make

SOURCE = catalogue.load("cognitive_pathways")
TASK = load("cognitive_pathway")
EVENT = "触发性事件,触发性事件##学习工作"
BELIEF = "认知歪曲,认知歪曲##罪责归己/他"


def read(folder: Path) -> Reading:
    return find.read(SOURCE, folder)


def said(row: Labelled) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.text[s.start : s.end], s.labels) for s in row.sentences]


def test_the_23_label_strings_and_the_19_codes():
    assert len(pathway.STRINGS) == 23
    assert set(pathway.STRINGS.values()) == set(TASK.keys)
    assert list(pathway.CODES) == [
        *(f"A{n}" for n in range(1, 6)), *(f"B{n}" for n in range(1, 11)), "C1", "C2", "D1", "D2",
    ]  # fmt: skip
    assert pathway.CODES["B10"] == "belief.blame" == pathway.STRINGS["认知歪曲##罪责归己/他"]
    assert pathway.keys(["触发性事件", "触发性事件##情感", "B1"]) == ("event.emotion", "belief.all_or_nothing")


@pytest.mark.parametrize("names", [["触发性事件"], ["B11"], ["认知歪曲##灾难化"], ["C1", "D"]])
def test_labels_that_say_nothing(names):
    with pytest.raises(Unusable):
        pathway.keys(names)


class TestLines:
    def test_each_line_is_a_sentence_of_its_own(self, tmp_path):
        make.write(tmp_path / "train.txt", f"面试又没过\t{EVENT}\n窗外在下雨\n都怪我\t{BELIEF},{EVENT}\r\n")
        rows = read(tmp_path).rows
        assert [said(row) for row in rows] == [
            [("面试又没过", ("event.study_work",))],
            [("窗外在下雨", ())],
            [("都怪我", ("event.study_work", "belief.blame"))],
        ]
        assert rows[0].labels == ("event", "event.study_work")
        assert rows[1].labels == ()
        assert rows[0].id == "cognitive_pathways-train-0001"

    def test_blank_lines_part_the_posts(self, tmp_path):
        make.write(tmp_path / "dev.txt", f"面试又没过\t{EVENT}\n都怪我\t{BELIEF}\n\n\n窗外在下雨\n")
        one, other = read(tmp_path).rows
        assert one.text == "面试又没过\n都怪我"
        assert said(one) == [("面试又没过", ("event.study_work",)), ("都怪我", ("belief.blame",))]
        assert said(other) == [("窗外在下雨", ())]
        assert one.part == "validation"

    def test_a_sentence_that_cannot_be_used_takes_its_post_with_it(self, tmp_path):
        make.write(tmp_path / "test.txt", f"面试又没过\t{EVENT}\n都怪我\t认知歪曲##灾难化\n\n窗外在下雨\n")
        reading = read(tmp_path)
        assert [row.text for row in reading.rows] == ["窗外在下雨"]
        (bad,) = reading.rejected
        assert bad.code == "unknown_label"
        assert "line 2" in bad.reason
        assert "面试又没过" in bad.text

    def test_tabs_within_the_sentence(self, tmp_path):
        make.write(tmp_path / "train.txt", f"面试\t又没过\t{EVENT}\n")
        assert said(read(tmp_path).rows[0]) == [("面试又没过", ("event.study_work",))]

    def test_the_label_list_is_checked(self, tmp_path):
        make.write(tmp_path / "train.txt", f"面试又没过\t{EVENT}\n")
        make.write(tmp_path / "label.txt", "\n".join([*pathway.STRINGS][:-1]) + "\n认知歪曲##灾难化\n")
        found = [f.message for f in check.check(SOURCE, tmp_path) if f.kind == "labels"]
        assert found == ["unknown labels: 认知歪曲##灾难化", "missing labels: 驳斥##有效驳斥"]


class TestAnnotationTool:
    TEXT = " 面试又没过。都怪我！窗外在下雨。"

    def at(self, words: str) -> list[int]:
        start = self.TEXT.index(words)
        return [start, start + len(words)]

    def marks(self) -> list[tuple[int, int, str]]:
        return [(*self.at("面试又没过。"), "A4"), (*self.at("都怪我"), "B10"), (*self.at("都怪我"), "C1")]  # type: ignore[list-item]

    @pytest.mark.parametrize("form", ["label", "labels", "entities"])
    def test_spans_become_sentences_and_the_rest_stands_beside(self, tmp_path, form):
        marks: list[object] = [list(m) for m in self.marks()]
        if form == "entities":
            marks = [
                {"id": n, "start_offset": a, "end_offset": b, "label": c} for n, (a, b, c) in enumerate(self.marks())
            ]
        make.write(tmp_path / "data.jsonl", make.jsonl([{"id": 7, "text": self.TEXT, form: marks}]))
        (row,) = read(tmp_path).rows
        assert row.text == self.TEXT.strip()
        assert said(row) == [
            ("面试又没过。", ("event.study_work",)),
            ("都怪我", ("belief.blame", "consequence.emotional")),
            ("窗外在下雨。", ()),
        ]
        assert row.labels == (
            "event",
            "event.study_work",
            "belief",
            "belief.blame",
            "consequence",
            "consequence.emotional",
        )
        assert row.extra == {"doccano_id": "7"}

    def test_labels_without_offsets_are_the_whole_texts(self, tmp_path):
        make.write(
            tmp_path / "data.jsonl", make.jsonl([{"text": "都怪我", "label": ["B10"]}, {"text": "下雨", "label": []}])
        )
        assert [said(row) for row in read(tmp_path).rows] == [[("都怪我", ("belief.blame",))], [("下雨", ())]]

    @pytest.mark.parametrize(
        ("marks", "code"),
        [
            ([[0, 99, "A1"]], "bad_span"),
            ([[3, 3, "A1"]], "bad_span"),
            ([[-1, 3, "A1"]], "bad_span"),
            ([[0, 4, "A1"], [2, 6, "B1"]], "bad_span"),
            ([["0", 4, "A1"]], "bad_span"),
            ([[0, 4, "E1"]], "unknown_label"),
            ([17], "bad_json"),
            ("A1", "bad_json"),
        ],
    )
    def test_what_cannot_be_used(self, tmp_path, marks, code):
        make.write(
            tmp_path / "data.jsonl", make.jsonl([{"text": "好的", "label": []}, {"text": self.TEXT, "label": marks}])
        )
        assert [(row.line, row.code) for row in read(tmp_path).rejected] == [(2, code)]

    def test_posts_are_preferred_to_single_sentences(self, tmp_path):
        make.write(tmp_path / "data.jsonl", make.jsonl([{"text": "都怪我", "label": ["B10"]}]))
        make.write(tmp_path / "train.txt", "都怪我\n")
        assert [row.id for row in read(tmp_path).rows] == ["cognitive_pathways-all-0001"]


@pytest.mark.parametrize("names", [("source", "target"), ("content", "title")])
def test_summaries(tmp_path, names):
    source, target = names
    rows = [
        {source: "面试又没过。都怪我！", target: "作者面试失败。", "parent": "触发性事件"},
        {source: "窗外在下雨", target: "作者写天气。"},
        {source: "窗外在下雨", target: "", "parent": "B"},
    ]
    make.write(tmp_path / "summary/train.json", make.jsonl(rows))
    reading = read(tmp_path)
    assert [(row.text, row.summary, row.labels) for row in reading.rows] == [
        ("面试又没过。都怪我！", {"event": "作者面试失败。"}, None),
        ("窗外在下雨", {"all": "作者写天气。"}, None),
    ]
    assert [row.code for row in reading.rejected] == ["empty_text"]


@given(
    st.text(st.sampled_from("甲乙。！ \n\t&lt;<br>😀a1"), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(-2, 44), st.integers(-2, 44), st.sampled_from(sorted(pathway.CODES))), max_size=5),
)
def test_placed_sentences_are_ascending_disjoint_and_unpadded(text, marks):
    spans = [pathway.Span(a, b, pathway.keys([code])) for a, b, code in marks]
    try:
        found = pathway.place(text, spans, fill=True)
    except Unusable:
        return
    cleaned, at = found["text"], 0
    for sentence in found["sentences"]:
        assert at <= sentence.start < sentence.end <= len(cleaned)
        assert cleaned[sentence.start : sentence.end].strip() == cleaned[sentence.start : sentence.end]
        at = sentence.end
    assert set(found["labels"]) >= {label for s in found["sentences"] for label in s.labels}


class TestRecords:
    TALK = "第三次会谈\n来访者：面试又没过。\n都怪我。\n咨询师：谁说的？\n来访者：我说的。\n"

    def records(self, folder: Path, **more: object) -> Reading:
        return find.read(clinical.source(clinical.Records(files=["*"], **more), folder), folder)  # type: ignore[arg-type]

    def test_turns_of_the_patient(self, tmp_path):
        make.write(tmp_path / "r1.txt", self.TALK)
        one, other = self.records(tmp_path).rows
        assert one.text == "面试又没过。\n都怪我。"
        assert one.sentences == (Sentence(0, 6, ()), Sentence(7, 11, ()))
        assert one.labels is None
        assert (one.id, one.group) == ("clinical-r1-001", "clinical/r1")
        assert (other.id, other.group, other.text) == ("clinical-r1-003", "clinical/r1", "我说的。")
        assert one.extra == {"record": "r1", "turn": "1", "speaker": "来访者"}

    def test_a_note_has_no_speakers(self, tmp_path):
        make.write(tmp_path / "n.txt", "主诉：失眠两月。\n\n自述面试失败后整夜不睡。\n".encode("gb18030"))
        assert [row.text for row in self.records(tmp_path).rows] == ["主诉：失眠两月。", "自述面试失败后整夜不睡。"]

    def test_the_whole_record_as_one(self, tmp_path):
        make.write(tmp_path / "r1.txt", self.TALK)
        (row,) = self.records(tmp_path, unit="record").rows
        assert row.text == "面试又没过。\n都怪我。\n我说的。"
        assert len(row.sentences) == 3

    def test_an_unknown_speaker_is_asked_for(self, tmp_path):
        make.write(tmp_path / "r1.txt", self.TALK + "小林：嗯。\n小林：好。\n")
        with pytest.raises(UserError, match="小林"):
            self.records(tmp_path)
        assert len(self.records(tmp_path, speakers={"小林": "patient"}).rows) == 4
        assert len(self.records(tmp_path, speakers={"小林": "other"}).rows) == 2
        assert self.records(tmp_path, speakers={"小林": "text"}).rows[1].text == "我说的。\n小林：嗯。\n小林：好。"

    def test_annotated_json(self, tmp_path):
        rows = [
            {"id": "a", "turns": [
                {"speaker": "来访者", "text": "面试又没过。都怪我。", "sentences": [
                    {"start": 0, "end": 6, "labels": ["event.study_work"]}, {"text": "都怪我。", "label": "B10"}]},
                {"speaker": "医生", "text": "谁说的？"},
                {"speaker": "来访者", "text": "我说的。"},
                {"speaker": "来访者", "text": "我说的。"},
            ]},
            {"id": "b", "text": "睡不着。", "label": [[0, 4, "C2"]]},
            {"id": "c", "sentences": [{"text": "没吃饭", "labels": []}, {"text": "算了", "labels": ["D1"]}]},
            {"id": "d", "text": "好。", "sentences": [{"text": "不在", "labels": []}]},
        ]  # fmt: skip
        make.write(tmp_path / "r.jsonl", make.jsonl(rows))
        reading = self.records(tmp_path)
        assert [row.id for row in reading.rows] == [
            "clinical-a-001", "clinical-a-003", "clinical-a-004", "clinical-b-001", "clinical-c-001",
        ]  # fmt: skip
        assert said(reading.rows[0]) == [("面试又没过。", ("event.study_work",)), ("都怪我。", ("belief.blame",))]
        assert [row.labels for row in reading.rows[1:4]] == [None, None, ("consequence", "consequence.behavioral")]
        assert reading.rows[4].text == "没吃饭\n算了"
        assert [row.code for row in reading.rejected] == ["bad_span"]

    def test_personal_data_left_in_a_record_are_found(self, tmp_path):
        make.write(tmp_path / "r1.txt", "来访者：打我电话 13812345678。\n来访者：好。\n")
        source = clinical.source(clinical.Records(files=["r1.txt"]), tmp_path)
        (found,) = [f for f in check.check(source, tmp_path) if f.kind == "personal"]
        assert "[电话] 1" in found.message
        assert "13812345678" not in found.message

    def test_missing_and_unknown_files(self, tmp_path):
        with pytest.raises(MissingError, match=r"no file notes/\*\.txt"):
            clinical.source(clinical.Records(files=["notes/*.txt"]), tmp_path)
        make.write(tmp_path / "a.docx", b"PK")
        with pytest.raises(UserError, match=r"a\.docx"):
            clinical.source(clinical.Records(files=["*"]), tmp_path)

    def test_a_broken_line_is_rejected(self, tmp_path):
        make.write(tmp_path / "r.jsonl", json.dumps({"id": "a", "text": "好。"}) + "\n{\n[]\n")
        assert [(row.line, row.code) for row in self.records(tmp_path).rejected] == [(2, "bad_json"), (3, "bad_json")]
