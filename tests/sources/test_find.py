"""Which files of a set a folder holds, what differs in them, and what the list and the check say."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from mentalglm.errors import MissingError, UserError
from mentalglm.sources import catalogue, check, find, listing, sos_hl_1k
from mentalglm.sources.source import TIDY, Source
from tests.sources import published as make

HL = "data/suicide/suicide_"
SOURCE = catalogue.load("sos_hl_1k")
ROOT = Path(__file__).parents[2]


def as_published(contents: dict[str, bytes]) -> Source:
    """SOS-HL-1K as if the files with these contents were the published ones."""
    files = []
    for file in sos_hl_1k.SOURCE.files:
        if (data := contents.get(file.path)) is not None:
            file = dataclasses.replace(
                file, bytes=len(data), lines=data.count(b"\n"), rows=4, sha256=hashlib.sha256(data).hexdigest()[:32]
            )
            files.append(file)
    return dataclasses.replace(sos_hl_1k.SOURCE, files=tuple(files))


def kinds(source: Source, folder: Path) -> list[str]:
    return [f.kind for f in check.check(source, folder)]


class TestFind:
    @pytest.mark.parametrize(
        "where", [f"{HL}train_LLM.csv", "suicide_train_LLM.csv", f"SupervisedVsLLM-EfficacyEval/{HL}train_LLM.csv",
                  f"SupervisedVsLLM-EfficacyEval-main/{HL}train_LLM.csv"],
    )  # fmt: skip
    def test_repository_path_flat_clone_and_archive(self, tmp_path, where):
        path = make.write(tmp_path / where, make.llm())
        assert find.inputs(SOURCE, tmp_path) == {f"sos_hl_1k/{HL}train_LLM.csv": path}

    def test_each_part_from_the_first_form_that_has_it(self, tmp_path):
        make.write(tmp_path / f"{HL}val_LLM.csv", make.llm())
        make.write(tmp_path / "sos_hl_1k/train.jsonl", make.jsonl([{"id": "x", "text": "甲", "label": 1}]))
        assert [(p.file.part, p.file.form) for p in find.find_form(SOURCE, tmp_path)] == [
            ("test", "llm"),
            ("train", TIDY),
        ]
        make.write(tmp_path / f"{HL}train_BERT.tsv", make.bert())
        assert [(p.file.part, p.file.form) for p in find.find_form(SOURCE, tmp_path)] == [
            ("test", "llm"),
            ("train", "bert"),
        ]

    def test_the_tidy_form_is_not_flat(self, tmp_path):
        make.write(tmp_path / "train.jsonl", make.jsonl([{"id": "x", "text": "甲", "label": 1}]))
        with pytest.raises(MissingError):
            find.find_form(SOURCE, tmp_path)

    def test_names_of_inputs_do_not_depend_on_the_machine(self, tmp_path):
        make.write(tmp_path / "a" / f"{HL}train_LLM.csv", make.llm())
        make.write(tmp_path / "b/suicide_train_LLM.csv", make.llm())
        assert [*find.inputs(SOURCE, tmp_path / "a")] == [*find.inputs(SOURCE, tmp_path / "b")]

    def test_no_folder_at_all(self):
        with pytest.raises(MissingError, match="needs a folder"):
            find.read(SOURCE, None)
        assert find.inputs(catalogue.load("pathway_synthetic"), None)


class TestCheck:
    def test_published_files_as_published(self, tmp_path):
        contents = {f"{HL}train_BERT.tsv": make.bert(), f"{HL}val_BERT.tsv": make.bert()}
        for path, data in contents.items():
            make.write(tmp_path / path, data)
        assert check.check(as_published(contents), tmp_path) == []

    def damaged(self, folder: Path, good: bytes, bad: bytes, name: str = "train_LLM.csv") -> list[check.Finding]:
        path = f"{HL}{name}"
        make.write(folder / path, bad)
        return check.check(as_published({path: good}), folder)

    def test_other_bytes_and_rows(self, tmp_path):
        good = make.llm().encode()
        found = self.damaged(tmp_path, good, b"".join(good.splitlines(keepends=True)[:-1]))
        assert [f.kind for f in found] == ["bytes", "rows"]
        assert "3 rows, and 4 were expected" in found[1].message

    def test_cut_off(self, tmp_path):
        good = make.llm().encode()
        found = self.damaged(tmp_path, good, good[:-10])
        assert [f.kind for f in found] == ["bytes", "truncated", "rejected"]
        assert "10 bytes are missing" in found[1].message
        assert "the file ends within this row" in found[2].message

    def test_another_encoding_is_said_and_read(self, tmp_path):
        good = make.bert()
        found = self.damaged(tmp_path, good, good.decode("gb18030").encode(), "train_BERT.tsv")
        assert [(f.kind, f.wrong) for f in found] == [("bytes", True), ("encoding", False)]
        assert "utf-8, and GB18030 was expected" in found[1].message
        assert check.look(as_published({f"{HL}train_BERT.tsv": good}), tmp_path).rows == 4

    def test_latin_bytes_are_wrong(self, tmp_path):
        good = make.llm().encode()
        bad = good + "5\t0\té ü\r\n".encode("latin-1")
        assert "encoding" in [f.kind for f in self.damaged(tmp_path, good, bad) if f.wrong]

    def test_read_with_quotes_and_written_again(self, tmp_path):
        posts = [('"半句', 0), ("一句", 1), ('又半句"', 0), ("完", 0)]
        good = make.llm(posts).encode()
        merged = 'id\tlabel\tcomment\n1\t0\t"半句\n2\t1\t一句\n3\t0\t又半句"\n4\t0\t完\n'.encode()
        found = self.damaged(tmp_path, good, merged)
        assert "merged_rows" in [f.kind for f in found]
        assert "line 2" in next(f.message for f in found if f.kind == "merged_rows")

    def test_rows_that_cannot_be_used_are_counted_by_reason(self, tmp_path):
        good = make.bert()
        found = self.damaged(
            tmp_path, good, good + "0\t0\t甲\r\n1\t1\t乙\r\n3\t0\t丙\r\n".encode("gb18030"), "train_BERT.tsv"
        )
        messages = [f.message for f in found if f.kind == "rejected"]
        assert messages[0].startswith("2 rows cannot be used (one_hot): line 5: high and low sum to 0")
        assert messages[1].startswith("1 row cannot be used (unknown_label): line 7")

    def test_a_file_that_cannot_be_read(self, tmp_path):
        found = self.damaged(tmp_path, make.llm().encode(), b"PK\x03\x04\x00\x00\x00\x00")
        assert "unreadable" in [f.kind for f in found]

    def test_conflicts_and_repeated_ids(self, tmp_path):
        rows = [
            {"id": "a", "text": "不想 再醒", "label": 1}, {"id": "b", "text": "不想再醒！", "label": 0},
            {"id": "b", "text": "别的", "label": 0},
        ]  # fmt: skip
        make.write(tmp_path / "sos_hl_1k/train.jsonl", make.jsonl(rows))
        found = {f.kind: f.message for f in check.check(SOURCE, tmp_path)}
        assert found["conflict"] == "1 posts stand there with different labels: a/b"
        assert found["duplicate_id"].endswith(": b")

    def test_one_post_under_two_questions_is_no_conflict(self, tmp_path):
        rows = [
            make.instruction("quiet", f"Does the {x} dimension exist?", f"{a}, it does. Reasoning: x")
            for x, a in (("social", "Yes"), ("physical", "No"))
        ]
        make.write(tmp_path / "MultiWD/val.csv", make.table(["query", "gpt-3.5-turbo"], rows))
        assert "conflict" not in kinds(catalogue.load("imhi_multiwd"), tmp_path)

    def test_nothing_there(self, tmp_path):
        assert kinds(SOURCE, tmp_path) == ["missing"]

    def test_an_absent_test_part_is_told_but_not_wrong(self, tmp_path):
        make.write(tmp_path / f"{HL}train_LLM.csv", make.llm())
        found = [(f.file, f.wrong) for f in check.check(SOURCE, tmp_path) if f.kind == "missing"]
        assert found == [(f"{HL}val_LLM.csv", False)]


class TestListing:
    def test_the_list(self, tmp_path):
        make.write(tmp_path / "sos_hl_1k/train.jsonl", make.jsonl([{"id": "a", "text": "甲", "label": 1}]))
        make.write(tmp_path / f"{HL}val_LLM.csv", make.llm())
        lines = listing.list_lines(tmp_path)
        (line,) = [x for x in lines if x.startswith("sos_hl_1k ")]
        assert "published+tidy" in line
        assert all(any(x.startswith(s.key + " ") for x in lines) for s in catalogue.SOURCES)
        assert not any(x != x.rstrip() for x in lines)
        assert {row.here for row in listing.list_rows()} == {"", "package"}

    def test_the_check(self, tmp_path):
        make.write(tmp_path / f"{HL}train_LLM.csv", make.llm())
        lines, ok = listing.check_lines(["sos_hl_1k", "sos_1k"], tmp_path)
        assert not ok
        assert lines[0] == "sos_hl_1k: published, 4 rows; differs"
        assert lines[1].startswith("  ! data/suicide/suicide_train_LLM.csv: it is another file")
        assert "sos_1k: not here" in lines
        lines, ok = listing.check_lines(["pathway_synthetic"], None)
        assert ok
        with pytest.raises(UserError, match="did you mean"):
            listing.check_lines(["sos1k"], tmp_path)

    def test_without_keys_every_set_that_is_there(self, tmp_path):
        make.write(
            tmp_path / "ordinary_weibo/train.jsonl", make.jsonl([{"id": "a", "text": "吃了面", "label": "happy"}])
        )
        heads = [x.split(":")[0] for x in listing.check_lines([], tmp_path).lines if not x.startswith(" ")]
        assert heads == ["pathway_synthetic", "ordinary_weibo"]


def test_the_shared_data_are_as_their_card_says():
    folder = Path(os.environ.get("MENTALGLM_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "sos_hl_1k").is_dir():
        pytest.skip("the shared data are not here (set MENTALGLM_DATA)")
    expected = {
        "sos_hl_1k": 997, "socialcd_3k": 2720, "sos_4k": 2535 + 633, "psysuicide": 1479, "ordinary_weibo": 8598,
        "imhi_dr": 1003 + 430, "imhi_dreaddit": 2837 + 300, "imhi_sad": 5547 + 616, "imhi_irf": 985,
        "imhi_multiwd": 1500, "irf_evidence": 3944,
    }  # fmt: skip
    looked = {key: check.look(catalogue.load(key), folder) for key in expected}
    assert {key: (c.rows, c.rejected) for key, c in looked.items()} == {key: (n, 0) for key, n in expected.items()}
    assert not [f for c in looked.values() for f in c.findings if f.wrong]
