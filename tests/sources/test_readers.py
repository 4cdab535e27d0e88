"""Each published form, on invented files, gives the rows that it holds; what cannot be used is rejected with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mentalglm.errors import MissingError, UserError
from mentalglm.sources import catalogue, clean, find
from mentalglm.sources.imhi import SETS, label_of
from mentalglm.sources.labelled import Labelled
from mentalglm.sources.source import Reading
from tests.sources import published as make

YES = "Yes, the poster suffers from stress. Reasoning: It\nsays so."
HL = "data/suicide/suicide_"


def read(key: str, folder: Path) -> Reading:
    return find.read(catalogue.load(key), folder)


def codes(reading: Reading) -> list[tuple[int, str]]:
    return [(row.line, row.code) for row in reading.rejected]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


class TestSosHl:
    def test_the_three_forms_give_the_same_rows(self, tmp_path):
        make.write(tmp_path / "a" / f"{HL}train_LLM.csv", make.llm())
        make.write(tmp_path / "b" / f"{HL}train_BERT.tsv", make.bert())
        make.write(tmp_path / "c" / f"{HL}train.jsonl", make.chat())
        make.write(
            tmp_path / "d/sos_hl_1k/train.jsonl",
            make.jsonl(
                [{"id": f"sos_hl_1k-train-{n:04d}", "text": t, "label": y} for n, (t, y) in enumerate(make.POSTS, 1)]
            ),
        )
        one, *others = (read("sos_hl_1k", tmp_path / x) for x in "abcd")
        assert all(other == one for other in others)
        assert [row.text for row in one.rows] == [text for text, _ in make.POSTS]
        assert [row.labels for row in one.rows] == [("low",), ("high",), ("low",), ("high",)]
        assert one.rows[0].id == "sos_hl_1k-train-0001"
        assert {(row.part, row.task, row.source, row.language) for row in one.rows} == {
            ("train", "suicide_risk", "sos_hl_1k", "zh")
        }

    def test_what_is_called_val_is_the_test_part(self, folder):
        make.write(folder / f"{HL}val_LLM.csv", make.llm())
        assert {(row.part, row.id[:15]) for row in read("sos_hl_1k", folder).rows} == {("test", "sos_hl_1k-test-")}

    def test_one_hot_rows_of_none_and_of_two(self, folder):
        make.write(
            folder / f"{HL}train_BERT.tsv",
            "1\t0\t甲\r\n0\t0\t乙\r\n1\t1\t丙\r\n2\t0\t丁\r\n0\t1\t\r\n0\t1\t戊\r\n".encode("gb18030"),
        )
        reading = read("sos_hl_1k", folder)
        assert [row.id for row in reading.rows] == ["sos_hl_1k-train-0001", "sos_hl_1k-train-0006"]
        assert codes(reading) == [(2, "one_hot"), (3, "one_hot"), (4, "unknown_label"), (5, "empty_text")]
        assert "乙" in reading.rejected[0].text

    def test_quotes_do_not_merge_rows(self, folder):
        make.write(folder / f"{HL}train_LLM.csv", make.llm([('"半句', 0), ("一句", 1), ('又半句"', 0)]))
        assert [row.text for row in read("sos_hl_1k", folder).rows] == ['"半句', "一句", '又半句"']

    def test_a_cut_last_row_is_truncated_and_the_others_are_there(self, folder):
        make.write(folder / f"{HL}train_LLM.csv", make.llm()[: -len(make.POSTS[-1][0]) - 3])
        reading = read("sos_hl_1k", folder)
        assert len(reading.rows) == 3
        assert codes(reading) == [(5, "truncated")]

    def test_bytes_of_no_encoding_reject_their_line(self, folder):
        data = make.llm().encode().splitlines(keepends=True)
        data[2] = b"2\t1\t\xff\xfe\xfa\xff\r\n"
        make.write(folder / f"{HL}train_LLM.csv", b"".join(data))
        reading = read("sos_hl_1k", folder)
        assert codes(reading) == [(3, "encoding")]
        assert len(reading.rows) == 3

    def test_another_header_names_the_file_and_the_line(self, folder):
        make.write(folder / f"{HL}train_LLM.csv", "nr\tlabel\tcomment\r\n1\t0\t甲\r\n")
        with pytest.raises(UserError, match=r"suicide_train_LLM\.csv, line 1: the header is 'nr \| label \| comment'"):
            read("sos_hl_1k", folder)

    def test_a_file_of_which_no_row_can_be_used_is_one_error(self, folder):
        make.write(folder / f"{HL}train.jsonl", '{"a": 1}\n{"b": 2}\n')
        with pytest.raises(UserError, match=r"no row of .*suicide_train\.jsonl can be used; line 1: it has no turns"):
            read("sos_hl_1k", folder)


class TestLevels:
    def test_folds_and_test_part(self, folder):
        for n in (1, 2):
            make.write(folder / f"suicideDataProcessing/data/fine-grained/fold{n}.tsv", make.levels())
        make.write(folder / "test_data.tsv", make.levels())
        rows = read("sos_1k", folder).rows
        assert [row.id for row in rows] == [f"sos_1k-{p}-000{n}" for p in ("fold1", "fold2", "test") for n in (1, 2, 3)]
        assert [row.level for row in rows[:3]] == [0, 4, 8]
        assert {row.labels for row in rows} == {None}  # a level alone: the rule that makes a label of it is not theirs
        assert [row.part for row in rows] == ["train"] * 6 + ["test"] * 3
        assert rows[3].extra == {"fold": "2"}

    def test_explanations_and_a_last_line_without_an_end(self, folder):
        make.write(folder / "train_data_withExplainFewShot.tsv", make.levels(explained=True, end=""))
        rows = read("sos_4k", folder).rows
        assert len(rows) == 3
        assert rows[2].explanation == "该用户发言中“药都攒好了”表明……"

    def test_published_and_tidy_agree(self, tmp_path):
        make.write(tmp_path / "a/val_data_withExplainFewShot.tsv", make.levels(explained=True))
        tidy = [
            {"id": f"sos_4k-val-{n:04d}", "text": t, "label": y, "explain": f"该用户发言中“{t}”表明……"}
            for n, (t, y) in enumerate(make.LEVELS, 1)
        ]
        make.write(tmp_path / "b/sos_4k/val.jsonl", make.jsonl(tidy))
        assert read("sos_4k", tmp_path / "a") == read("sos_4k", tmp_path / "b")
        assert read("sos_4k", tmp_path / "a").rows[0].part == "validation"

    @pytest.mark.parametrize("level", ["11", "-1", "高", "", "4.5", "1e1", "²"])
    def test_levels_that_are_none(self, folder, level):
        make.write(folder / "fold1.tsv", f"comment\tmyLabel\n甲\t3\n乙\t{level}\n丙\t5.0\n")
        reading = read("sos_1k", folder)
        assert [row.level for row in reading.rows] == [3, 5]
        assert codes(reading) == [(3, "bad_level")]


class TestDistortions:
    def test_header_none_and_tidy_agree(self, tmp_path):
        make.write(tmp_path / "a/train_data_with_header.tsv", make.socialcd())
        make.write(tmp_path / "b/train_data_with_header.tsv", make.socialcd(header=False))
        tidy = [
            {"id": f"socialcd_3k-train-{n:04d}", "text": t, "labels": list(y)}
            for n, (t, y) in enumerate(make.DISTORTIONS, 1)
        ]
        make.write(tmp_path / "c/socialcd_3k/train.jsonl", make.jsonl(tidy))
        one, *others = (read("socialcd_3k", tmp_path / x) for x in "abc")
        assert all(other == one for other in others)
        assert [row.labels for row in one.rows] == [
            ("overgeneralization", "fortune_telling"),
            ("labeling",),
            ("self_blame",),
        ]

    def test_columns_in_another_order_are_followed(self, folder):
        head, *rows = (line.split("\t") for line in make.socialcd().splitlines())
        swapped = [[*reversed(row[:12]), row[12]] for row in (head, *rows)]
        make.write(folder / "train_data_with_header.tsv", "\n".join("\t".join(row) for row in swapped))
        assert read("socialcd_3k", folder).rows[0].labels == ("overgeneralization", "fortune_telling")

    def test_both_parts_together_are_read_only_where_nothing_else_is(self, folder):
        make.write(folder / "SocialCD-3k.tsv", make.socialcd())
        assert [row.id for row in read("socialcd_3k", folder).rows][:1] == ["socialcd_3k-all-0001"]
        make.write(folder / "test_data_with_header.tsv", make.socialcd())
        assert {row.part for row in read("socialcd_3k", folder).rows} == {"test"}

    def test_an_unknown_name_in_the_header_is_an_error(self, folder):
        make.write(folder / "train_data_with_header.tsv", make.socialcd().replace("放大", "灾难化", 1))
        with pytest.raises(UserError, match="灾难化"):
            read("socialcd_3k", folder)

    def test_an_unknown_tidy_label_is_rejected_by_name(self, folder):
        rows = [{"id": "a", "text": "甲", "labels": ["放大"]}, {"id": "b", "text": "乙", "labels": ["灾难化"]}]
        make.write(folder / "socialcd_3k/train.jsonl", make.jsonl(rows))
        reading = read("socialcd_3k", folder)
        assert codes(reading) == [(2, "unknown_label")]
        assert "灾难化" in reading.rejected[0].reason

    def test_rows_that_csv_quoting_merged_are_rejected(self, folder):
        merged = '"半句\n0\t0\t1\t0\t0\t0\t0\t0\t0\t0\t0\t0\t下一条"'
        rows = [{"id": "a", "text": merged, "labels": ["放大"]}, {"id": "b", "text": "分\n两行", "labels": ["放大"]}]
        make.write(folder / "socialcd_3k/train.jsonl", make.jsonl(rows))
        reading = read("socialcd_3k", folder)
        assert codes(reading) == [(1, "merged_rows")]
        assert [row.text for row in reading.rows] == ["分\n两行"]


class TestPsysuicide:
    def test_published_and_tidy_agree_and_ids_are_unique(self, tmp_path):
        make.write(tmp_path / "a/data/valid.json", make.psysuicide())
        tidy = [{"id": f"psysuicide-{i}", "text": t, "labels": k, "data_source": s} for i, t, k, s in make.KINDS]
        make.write(tmp_path / "b/psysuicide/train.jsonl", make.jsonl(tidy))
        one, other = (read("psysuicide", tmp_path / x) for x in "ab")
        assert one == other
        assert [row.id for row in one.rows] == [
            "psysuicide-social_media-12", "psysuicide-synthetic-12", "psysuicide-client_counselor-7",
        ]  # fmt: skip
        assert one.rows[2].labels == ("active_intent", "aggression_by_user")
        assert one.rows[2].extra == {"data_source": "client_counselor"}
        assert {row.task for row in one.rows} == {"psysuicide"}

    def test_the_vector_and_the_names_must_agree(self, folder):
        rows = json.loads(make.psysuicide())
        rows[0]["label"] = [0.0] * 11
        rows[2]["labels"] = ["没有这一类"]
        make.write(folder / "data/valid.json", json.dumps(rows, ensure_ascii=False))
        assert codes(read("psysuicide", folder)) == [(1, "labels_disagree"), (3, "unknown_label")]

    def test_a_cut_file_is_one_error_with_file_and_line(self, folder):
        make.write(folder / "data/valid.json", make.psysuicide()[:-300])
        with pytest.raises(UserError, match=r"valid\.json, line \d+ is not JSON: .*cut off"):
            read("psysuicide", folder)


class TestImhi:
    QUESTION = "Does the poster suffer from stress?"

    def rows(self) -> list[tuple[str, str]]:
        return [
            make.instruction('He said "fine" and\nleft', self.QUESTION, YES),
            make.instruction("Nice tea", self.QUESTION, "No, the poster does not. Reasoning: Calm."),
            (f'Consider this post: "See https://x.invalid Question: {self.QUESTION}', "No, not. Reasoning: x"),
        ]  # fmt: skip

    def test_query_and_response(self, folder):
        make.write(
            folder / "train_data/instruction_data/dreaddit/train.csv",
            make.table(["query", "gpt-3.5-turbo"], self.rows()),
        )
        rows = read("imhi_dreaddit", folder).rows
        assert rows[0] == Labelled(
            id="imhi-dreaddit-train-00001", source="imhi_dreaddit", part="train", task="imhi_dreaddit",
            text='He said "fine" and\nleft', labels=("yes",), explanation="It\nsays so.", question=self.QUESTION,
            answer=YES, language="en",
        )  # fmt: skip
        assert [row.labels for row in rows] == [("yes",), ("no",), ("no",)]
        assert rows[2].text == "See https://x.invalid"

    def test_published_and_tidy_agree(self, tmp_path):
        make.write(tmp_path / "a/DR/val.csv", make.table(["query", "gpt-3.5-turbo"], self.rows()))
        tidy = [
            {"id": f"imhi-DR-val-{n:05d}", "query": q, "response": r, "label": "yes"}
            for n, (q, r) in enumerate(self.rows(), 1)
        ]
        make.write(tmp_path / "b/imhi/DR/val.jsonl", make.jsonl(tidy))
        assert read("imhi_dr", tmp_path / "a") == read("imhi_dr", tmp_path / "b")

    def test_completion_ends_before_the_answer(self, folder):
        asked = ' Question: The answer to the question "Does the social wellness dimension exists in the post?" is '
        rows = [
            ["0", "Post: Nobody called. I don‚Äôt mind.", asked, " no. Reasoning: None."],
            ["1", "Post: Call me", asked, "yes. Reasoning: One."],
        ]
        make.write(
            folder / "train_data/complete_data/MultiWD/val.csv", make.table(["", "post", "question", "response"], rows)
        )
        found = read("imhi_multiwd", folder).rows
        assert [row.labels for row in found] == [("no",), ("yes",)]
        assert [row.text for row in found] == ["Nobody called. I don’t mind.", "Call me"]
        assert found[0].extra["repaired"]
        assert found[0].explanation == "None."
        assert found[0].question == asked.split("Question: ")[1].strip()

    def test_completion_of_sad(self, folder):
        rows = [
            ["Post: late rent, Question: This post shows the stress cause of ", "financial problem. Reasoning: Rent."],
            ["Post: hm, Question: This post shows the stress cause of ", "the weather. Reasoning: Rain."],
        ]
        make.write(folder / "train_data/complete_data/SAD/val.csv", make.table(["query", "response"], rows))
        reading = read("imhi_sad", folder)
        assert [(row.text, row.labels) for row in reading.rows] == [("late rent", ("financial_problem",))]
        assert codes(reading) == [(3, "unknown_label")]

    @pytest.mark.parametrize(
        ("name", "sentence", "label"),
        [
            ("DR", "Yes, the poster suffers from depression.", "yes"),
            ("DR", "Nothing can be said.", None),
            ("Irf", "No, the post does not show this risk. yes", "no"),
            ("SAD", "This post shows the stress cause related to school.", "school"),
            ("SAD", "This post shows other stress causes.", "other_causes"),
            ("SAD", "This post shows the stress cause related to schoolwork.", None),
            ("SWMH", "This post shows symptoms of bipolar disorder.", "bipolar"),
            ("SWMH", "No mental disorders, depression included.", "none"),
            ("SWMH", "It shows anxiety and depression.", None),
            ("T-SID", "The post shows suicide or self-harm tendency.", "suicide_or_self_harm"),
            ("CAMS", "The cause of depression is jobs and careers.", "jobs_and_careers"),
            ("CAMS", "No causes.", "none"),
            ("loneliness", "yes", "yes"),
        ],
    )
    def test_labels_are_read_from_the_label_sentence(self, name, sentence, label):
        assert label_of(name, sentence) == label

    def test_all_ten_sets_have_a_source(self):
        assert {f"imhi_{name.lower()}" for name in SETS} <= {source.key for source in catalogue.SOURCES}
        assert len(SETS) == 10


class TestCImhi:
    ASKED = "考虑以下这个帖子，自杀风险如何？"
    POST, OTHER = "窗台上的薄荷又枯了一盆", "今晚就走，信在抽屉里"

    def write(self, folder: Path, raw: bool = True) -> None:
        rows = [
            {"instruction": self.ASKED, "input": self.POST, "output": "这个帖子为低自杀风险。推理：只有难过。"},
            {"instruction": f"{self.ASKED}{self.OTHER}", "input": "", "output": "这个帖子为高自杀风险。推理：有时间。"},
            {"instruction": self.ASKED, "input": "没有见过的帖子", "output": "高自杀风险。理由：……"},
        ]  # fmt: skip
        make.write(folder / "Instruct data/Instruct_suiside.json", json.dumps(rows, ensure_ascii=False))
        if raw:
            make.write(folder / "Raw data/Suiside/train_set.tsv", f"1\t{self.POST}\n")
            make.write(folder / "Raw data/Suiside/test_set.tsv", f"0\t{self.POST}！\n1\t{self.OTHER}\n")

    def test_splits_come_back_from_the_raw_data(self, folder):
        self.write(folder)
        one, other, unknown = read("c_imhi_suicide_risk", folder).rows
        assert (one.part, one.labels) == ("test", ("low",))  # in both: the test part must not be trained on
        assert one.extra == {"parts": "test|train"}
        assert (other.part, other.text, other.labels) == ("test", self.OTHER, ("high",))
        assert other.question == self.ASKED
        assert other.explanation == "有时间。"
        assert (unknown.part, unknown.extra) == ("", {"part": "not in the raw data"})

    def test_without_raw_data_the_split_is_open(self, folder):
        self.write(folder, raw=False)
        rows = read("c_imhi_suicide_risk", folder).rows
        assert [(row.part, row.labels, row.extra) for row in rows] == [
            ("", (label,), {}) for label in ("low", "high", "high")
        ]

    def test_an_answer_that_is_not_the_gold_label_is_kept_with_the_row(self, folder):
        row = {"instruction": "体现了什么认知歪曲？", "input": "我就是块烂木头", "output": "体现了以偏概全。推理：……"}
        make.write(folder / "Instruct data/Instruct_CD.json", json.dumps([row], ensure_ascii=False))
        make.write(folder / "Raw data/CD/val_data.tsv", make.socialcd(header=False))
        (found,) = read("c_imhi_cognitive_distortion", folder).rows
        assert (found.part, found.labels) == ("validation", ("labeling",))
        assert found.extra == {"answer_labels": "overgeneralization"}


def test_the_synthetic_set_is_in_the_package():
    rows = find.read(catalogue.load("pathway_synthetic")).rows
    assert len(rows) == 660
    assert all(
        row.text[s.start : s.end].strip() == row.text[s.start : s.end] != "" for row in rows for s in row.sentences
    )
    assert {len({row.part for row in rows if row.group == group}) for group in {row.group for row in rows}} == {1}
    with_child = next(row for row in rows if row.labels)
    assert any("." not in label for label in with_child.labels or ())
    assert all("." in label for s in with_child.sentences for label in s.labels)


def test_html_is_decoded_and_nothing_else(folder):
    given = [
        ("&nbsp;好累&nbsp;&amp;nbsp;呀<br/>不说了 ", "好累\xa0\xa0呀\n不说了"),
        ('<a href="/n/x">@某人</a> 我<3你 &lt;3', "@某人 我<3你 <3"),
        ("Ｆｕｌｌ &copy 13800138000", "Ｆｕｌｌ &copy 13800138000"),
    ]
    assert [clean.tidy(a) for a, _ in given] == [b for _, b in given]


def test_spans_follow_the_cleaning():
    text = "  &nbsp;甲乙。<br>  丙丁&lt;3 戊"
    spans = [(2, text.index("<br>")), (text.index("<br>"), text.index(" 戊"))]
    cleaned, moved = clean.with_spans(text, spans)
    assert [cleaned[a:b] for a, b in moved] == ["甲乙。", "丙丁<3"]
    assert cleaned == clean.tidy(text)


def test_an_unknown_key_names_one_that_is_close():
    with pytest.raises(UserError, match="did you mean sos_hl_1k"):
        catalogue.load("sos_hl_1")


def test_keys_are_unique_and_every_file_has_a_form():
    keys = [source.key for source in catalogue.SOURCES]
    assert len(set(keys)) == len(keys)
    for source in catalogue.SOURCES:
        assert {f.form for f in source.files if f.role == "rows"} <= set(source.forms), source.key
        paths = [f.path for f in source.files]
        assert len(set(paths)) == len(paths), source.key


def test_missing_says_what_to_do(folder):
    with pytest.raises(MissingError, match=r"mentalglm data fetch sos_1k; or .* --from FOLDER"):
        read("sos_1k", folder)
    with pytest.raises(MissingError, match="withdrew"):
        read("cognitive_pathways", folder)
    with pytest.raises(MissingError, match="there is no folder"):
        read("sos_1k", folder / "none")
