from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mentalglm.errors import MissingError, UserError
from mentalglm.outputs import Journal
from mentalglm.schema import BadRow, Post, error_record

from .fakes import FakeModel

SETTINGS = {"model": "mini", "tasks": ["suicide_risk"]}
POSTS = [Post(str(i), f"第{i}天，信写完了。", {"城市": "南京"}, i) for i in range(6)]
RECORDS = list(FakeModel().analyze(POSTS, tasks=["suicide_risk"]))


def journal(path: Path, *, resume: bool = False, overwrite: bool = False, **settings: Any) -> Journal:
    return Journal(path, SETTINGS | settings, resume=resume, overwrite=overwrite)


def begin(path: Path, rows: int) -> None:
    j = journal(path)
    for record, post in list(zip(RECORDS, POSTS, strict=True))[:rows]:
        j.write(record, post)
    j.stop()


def go_on(path: Path) -> Journal:
    j = journal(path, resume=True)
    for record, post in zip(j.records(), POSTS, strict=False):
        j.check(record, post)
    return j


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet", "html"])
@pytest.mark.parametrize("rows", [0, 1, 5, 6])
def test_going_on_gives_the_same_bytes(tmp_path: Path, ending: str, rows: int) -> None:
    out, whole = tmp_path / f"out.{ending}", tmp_path / f"whole.{ending}"
    begin(out, rows)
    j = go_on(out)
    assert j.done == rows
    for record, post in list(zip(RECORDS, POSTS, strict=True))[rows:]:
        j.write(record, post)
    j.finish()
    k = journal(whole)
    for record, post in zip(RECORDS, POSTS, strict=True):
        k.write(record, post)
    k.finish()
    assert out.read_bytes() == whole.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_is_touched_before_the_first_record(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old\n")
    journal(out, overwrite=True)
    assert out.read_text() == "old\n"


def test_rows_that_could_not_be_read_survive_the_way_through_a_table(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    j = journal(out)
    j.write(RECORDS[0], POSTS[0])
    j.write(
        error_record("9", "bad_row", "line 9: too short"),
        BadRow("9", 9, "bad_row", "line 9: too short", {"城市": "苏州"}),
    )
    j.finish()
    text = out.read_text(encoding="utf-8")
    assert "line 9: too short" in text
    assert "苏州" in text


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_half_line_is_done_again(tmp_path: Path, cut: int) -> None:
    out = tmp_path / "out.jsonl"
    begin(out, 4)
    whole = out.read_bytes()
    out.write_bytes(whole[:-cut])
    j = go_on(out)
    assert j.done == 3
    j.write(RECORDS[3], POSTS[3])
    j.stop()
    assert out.read_bytes() == whole


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text('{"text": "a post of theirs"}\n')
    with pytest.raises(UserError, match="no record of ours"):
        journal(out, resume=True)
    assert "theirs" in out.read_text()


def test_another_post_in_its_place_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    begin(out, 2)
    j = journal(out, resume=True)
    changed = Post("0", "换了一条帖子")
    with pytest.raises(UserError, match="another post"):
        j.check(RECORDS[0], changed)


def test_the_same_id_with_another_text_is_refused_though_no_quote_shows_it(tmp_path: Path) -> None:
    posts = [Post(str(i), f"今天第{i}次散步。") for i in range(4)]
    out = tmp_path / "out.jsonl"
    j = journal(out)
    for record, post in zip(FakeModel().analyze(posts, tasks=["suicide_risk"]), posts, strict=True):
        j.write(record, post)
    j.stop()
    j = journal(out, resume=True)
    records = list(j.records())
    for record, post in list(zip(records, posts, strict=True))[:3]:
        j.check(record, post)
    with pytest.raises(UserError, match="another post"):
        j.check(records[3], Post("3", "今天第3次爬山。"))


def test_other_flags_are_refused_and_named(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    begin(out, 2)
    with pytest.raises(UserError, match="prevalence"):
        journal(out, resume=True, prevalence=0.01)


def test_a_kill_before_the_first_sync_leaves_the_settings(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    j = journal(out)
    j.write(RECORDS[0], POSTS[0])
    j._flush()  # as after a second; then the process is gone
    with pytest.raises(UserError, match="prevalence"):
        journal(out, resume=True, prevalence=0.01)
    again = journal(out, overwrite=True, prevalence=0.01)
    again.write(RECORDS[0], POSTS[0])
    again._flush()
    assert journal(out, resume=True, prevalence=0.01).done == 1


@pytest.mark.parametrize("ending", ["csv", "parquet", "html"])
def test_a_file_that_we_did_not_write_is_not_called_finished(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    out.write_text("id,text\n1,x\n", encoding="utf-8")
    with pytest.raises(UserError, match="no output of ours"):
        journal(out, resume=True)


def test_a_finished_table_is_finished(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    j = journal(out)
    j.write(RECORDS[0], POSTS[0])
    j.finish()
    assert journal(out, resume=True).complete


class FullDisk:
    """A file that takes some bytes and then no more."""

    def __init__(self, real: Any, room: int) -> None:
        self.real, self.room = real, room

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = self.real.write(data[: self.room])
        self.room -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@pytest.mark.parametrize("room", [0, 10, 500, 1000])
def test_a_full_disk_leaves_whole_lines(tmp_path: Path, room: int) -> None:
    out = tmp_path / "out.jsonl"
    begin(out, 1)
    j = go_on(out)
    j._raw = FullDisk(j._open(), room)  # type: ignore[assignment]
    for record, post in list(zip(RECORDS, POSTS, strict=True))[1:]:
        j.write(record, post)
    with pytest.raises(MissingError, match="--resume"):
        j.sync()
    j.keep()
    lines = out.read_bytes().splitlines(keepends=True)
    assert all(json.loads(line) == record for line, record in zip(lines, RECORDS, strict=False))
    assert lines[-1].endswith(b"\n")
    assert go_on(out).done == len(lines)
