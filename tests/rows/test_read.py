"""`rows.read`: formats, columns, encodings, and what is wrong with files. Every post here is invented."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
import tracemalloc
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm import rows
from mentalglm.errors import UserError
from mentalglm.schema import BadRow, Post

POSTS = ["今天好累，什么都不想做。", "他说“没事”，可我睡不着", "和朋友吃了火锅😀，挺开心"]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(path: Path | str, **columns: str) -> list[str]:
    return [row.text if isinstance(row, Post) else f"!{row.code}" for row in rows.read(path, **columns)]


class TestFormats:
    def test_jsonl(self, tmp_path):
        lines = "\n".join(json.dumps({"id": f"p{i}", "text": t, "city": "北京"}) for i, t in enumerate(POSTS))
        found = list(rows.read(write(tmp_path / "a.jsonl", "\n" + lines + "\n\n")))
        assert found[0] == Post("p0", POSTS[0], {"city": "北京"}, 1)
        assert [row.row for row in found] == [1, 2, 3]

    def test_csv_with_quotes_and_line_breaks(self, tmp_path):
        content = 'id,内容,年份\r\n1,"第一行\r\n第二行，""真的""",2024\r\n2,没有引号,2025\r\n'
        found = list(rows.read(write(tmp_path / "a.csv", content)))
        assert found == [
            Post("1", '第一行\r\n第二行，"真的"', {"年份": "2024"}, 1),
            Post("2", "没有引号", {"年份": "2025"}, 2),
        ]

    def test_tsv_is_read_without_quotes(self, tmp_path):
        # The csv default merges the first two rows into one.
        content = 'id\ttext\n1\t"我没事\n2\t其实有事"\n3\t"整句"\n'
        assert texts(write(tmp_path / "a.tsv", content)) == ['"我没事', '其实有事"', '"整句"']

    def test_csv_separated_by_tabs_or_semicolons(self, tmp_path):
        assert texts(write(tmp_path / "a.csv", 'id\tcomment\n1\t"好累\n2\t"真的\n')) == ['"好累', '"真的']
        assert texts(write(tmp_path / "b.csv", "id;text\n1;好累，真的\n")) == ["好累，真的"]

    def test_plain_text_is_a_post_a_line(self, tmp_path):
        found = list(rows.read(write(tmp_path / "a.txt", "好累\r\n\n  \nid,text\n最后")))
        assert found == [Post("1", "好累", {}, 1), Post("2", "id,text", {}, 2), Post("3", "最后", {}, 3)]

    def test_a_line_separator_inside_a_post_is_no_new_row(self, tmp_path):
        assert texts(write(tmp_path / "a.txt", "一\u2028二\x0b三\x85四\n五")) == ["一\u2028二\x0b三\x85四", "五"]

    def test_a_json_array(self, tmp_path):
        content = json.dumps([{"text": POSTS[0]}, 7, {"text": POSTS[1]}])
        assert texts(write(tmp_path / "a.json", content)) == [POSTS[0], "!bad_json", POSTS[1]]

    def test_a_first_line_that_is_a_list_is_one_bad_row(self, tmp_path):
        assert texts(write(tmp_path / "a.jsonl", '[1, 2]\n{"text": "好"}\n')) == ["!bad_json", "好"]

    def test_without_an_ending_the_content_says_it(self, tmp_path):
        assert texts(write(tmp_path / "a", '{"text": "好"}\n')) == ["好"]
        assert texts(write(tmp_path / "b", "id,text\n1,好\n")) == ["好"]
        assert texts(write(tmp_path / "c", '[\n{"text": "好"}\n]')) == ["好"]
        assert texts(write(tmp_path / "d", "好\n")) == ["好"]

    def test_parquet(self, tmp_path):
        table = pa.table({"post_id": [7, None, 9], "content": [*POSTS[:2], None], "tags": [["a"], [], None]})
        pq.write_table(table, tmp_path / "a.parquet")
        found = list(rows.read(tmp_path / "a.parquet"))
        assert found[:2] == [Post("7", POSTS[0], {"tags": ["a"]}, 1), Post("2", POSTS[1], {"tags": []}, 2)]
        assert isinstance(found[2], BadRow)
        assert (found[2].id, found[2].code) == ("9", "missing_text")

    def test_parquet_with_a_dictionary_column(self, tmp_path):
        pq.write_table(pa.table({"text": pa.array(POSTS).dictionary_encode()}), tmp_path / "a.parquet")
        assert texts(tmp_path / "a.parquet") == POSTS


class TestStandardInput:
    @pytest.fixture
    def feed(self, monkeypatch):
        def feed(content: str | bytes):
            raw = io.BytesIO(content if isinstance(content, bytes) else content.encode())
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))

        return feed

    def test_lines(self, feed):
        feed("好累\n真的好累, 不想动\n")
        assert texts("-") == ["好累", "真的好累, 不想动"]

    def test_jsonl(self, feed):
        feed('{"text": "好累"}\n')
        assert texts("-") == ["好累"]

    def test_tables_by_their_header(self, feed):
        feed('id,text\n1,"好累，""真的"""\n')
        assert texts("-") == ['好累，"真的"']
        feed('id\ttext\n1\t"好累\n')
        assert texts("-") == ['"好累']
        feed("a,b\n1,好累\n")
        assert texts("-", text_column="b") == ["好累"]

    def test_parquet(self, feed, tmp_path):
        pq.write_table(pa.table({"text": POSTS}), tmp_path / "a.parquet")
        feed((tmp_path / "a.parquet").read_bytes())
        assert texts("-") == POSTS

    def test_nothing(self, feed):
        feed("")
        with pytest.raises(UserError, match="standard input is empty"):
            rows.read("-")


class TestColumns:
    @pytest.mark.parametrize(
        "name", ["text", "Text", " content ", "内容", "正文", "微博正文", "comment", "文本", "post"]
    )
    def test_are_known_by_name(self, tmp_path, name):
        assert texts(write(tmp_path / "a.csv", f"x,{name}\n1,好累\n")) == ["好累"]

    def test_can_be_named(self, tmp_path):
        path = write(tmp_path / "a.csv", "k,text,说明\na,甲,好累\n")
        found = list(rows.read(path, text_column="说明", id_column="k"))
        assert found == [Post("a", "好累", {"text": "甲"}, 1)]

    def test_a_missing_one_lists_those_that_there_are(self, tmp_path):
        path = write(tmp_path / "a.csv", "编号,标题,日期\n1,a,b\n")
        with pytest.raises(UserError, match=r"'编号', '标题', '日期'.*--text-column"):
            rows.read(path)
        with pytest.raises(UserError, match="no column 'body'; it has '编号'"):
            rows.read(path, text_column="body")
        with pytest.raises(UserError, match=r"no column 'key'.*--id-column"):
            rows.read(path, text_column="标题", id_column="key")
        write(tmp_path / "b.jsonl", '{"title": "a"}\n{"date": "b"}\n')
        with pytest.raises(UserError, match="'title', 'date'"):
            rows.read(tmp_path / "b.jsonl")

    def test_a_long_header_does_not_put_a_post_into_the_message(self, tmp_path):
        path = write(tmp_path / "a.csv", "这其实不是表头而是一条很长很长很长很长很长很长的帖子,1\n")
        with pytest.raises(UserError) as error:
            rows.read(path)
        assert "很长很长很长很长很长很长的帖子" not in str(error.value)

    def test_parquet_of_another_schema(self, tmp_path):
        pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "a.parquet")
        with pytest.raises(UserError, match="'a', 'b'"):
            rows.read(tmp_path / "a.parquet")
        pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "b.parquet")
        with pytest.raises(UserError, match="holds int64, not text"):
            rows.read(tmp_path / "b.parquet")

    def test_blank_and_repeated_names(self, tmp_path):
        found = list(rows.read(write(tmp_path / "a.csv", "text,,x,x\n好累,1,2,3\n")))
        assert found == [Post("1", "好累", {"column_2": "1", "x": "2", "x_2": "3"}, 1)]

    def test_in_jsonl_the_column_may_come_later(self, tmp_path):
        content = '{"note": "x"}\n{"id": 1.5, "text": "好累"}\n{"id": true, "text": "好"}\n'
        found = list(rows.read(write(tmp_path / "a.jsonl", content)))
        assert [row.id for row in found] == ["1", "1.5", "true"]
        assert isinstance(found[0], BadRow)
        assert found[0].code == "missing_text"

    def test_plain_text_has_none(self, tmp_path):
        with pytest.raises(UserError, match="plain text, which has no columns"):
            rows.read(write(tmp_path / "a.txt", "好累"), text_column="text")


class TestIds:
    def test_missing_ones_are_row_numbers(self, tmp_path):
        found = list(rows.read(write(tmp_path / "a.csv", "id,text\n,甲\nx,乙\n  ,丙\n")))
        assert [row.id for row in found] == ["1", "x", "3"]

    def test_duplicates_are_kept_with_one_warning(self, tmp_path):
        path = write(tmp_path / "a.csv", "id,text\nx,甲\nx,乙\nx,丙\ny,丁\ny,戊\n")
        with pytest.warns(UserWarning, match="'x' of row 2") as caught:
            assert [row.id for row in rows.read(path)] == ["x", "x", "x", "y", "y"]
        assert len(caught) == 1

    def test_row_numbers_are_no_duplicates(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(texts(write(tmp_path / "a.csv", "id,text\n,甲\n,乙\n"))) == 2

    @pytest.mark.parametrize("pair", [("", "1"), ("2", "")])
    def test_a_row_number_may_be_a_duplicate_too(self, tmp_path, pair):
        path = write(tmp_path / "a.csv", "id,text\n{},甲\n{},乙\n".format(*pair))
        with pytest.warns(UserWarning, match="of row 2 stands on an earlier row too"):
            assert len({row.id for row in rows.read(path)}) == 1

    def test_a_number_that_is_no_earlier_rows_id_is_no_duplicate(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(texts(write(tmp_path / "a.csv", "id,text\nx,甲\n1,乙\n01,丙\n,丁\n9,戊\n٣,己\n"))) == 6


class TestBadRows:
    def test_blank_texts(self, tmp_path):
        blank = ["", "   ", "\u3000\n", "\u200b\u202e", "\ud800", "\x00"]
        content = "\n".join(json.dumps({"text": t}) for t in [*blank, "😀", "。"])
        found = list(rows.read(write(tmp_path / "a.jsonl", content)))
        assert [getattr(row, "code", None) for row in found] == ["empty_text"] * 6 + [None, None]
        assert texts(write(tmp_path / "a.csv", "id,text\n1,\n2,好\n")) == ["!empty_text", "好"]

    def test_what_cannot_be_seen_is_blank_and_what_is_not_there_is_missing(self, tmp_path):
        content = "\n".join(json.dumps({"text": t}) for t in ["\ud800", ""])
        messages = [row.message for row in rows.read(write(tmp_path / "a.jsonl", content)) if isinstance(row, BadRow)]
        assert "the text of row 1 is blank" in messages[0]
        assert messages[1] == "row 2 has no text"

    def test_json_that_is_none(self, tmp_path):
        content = '{"text": "好累"}\n{"text": \n[1]\n"好"\n{"text": 5}\n{"text": null}\n{"text": "好"}\n'
        found = list(rows.read(write(tmp_path / "a.jsonl", content)))
        codes = [getattr(row, "code", None) for row in found]
        assert codes == [None, "bad_json", "bad_json", "bad_json", "not_text", "missing_text", None]
        assert isinstance(found[1], BadRow)
        assert "line 2" in found[1].message

    def test_nested_too_deep(self, tmp_path):
        content = "[" * 200_000 + "\n" + '{"text": "好"}\n' + '{"text": ' + "1" * 10_000 + "}\n"
        path = write(tmp_path / "a.jsonl", '{"text": "甲"}\n' + content)
        assert texts(path) == ["甲", "!bad_json", "好", "!bad_json"]

    def test_control_characters_and_surrogates_in_json(self, tmp_path):
        content = '{"text": "好\x01\t累"}\n{"text": "\\ud83d坏\\ud83d\\ude00"}\n'
        assert texts(write(tmp_path / "a.jsonl", content)) == ["好\x01\t累", "\ud83d坏😀"]

    def test_rows_of_another_width(self, tmp_path):
        path = write(tmp_path / "a.csv", "id,text,n\n1,好累,不想动,2\n2\n3,好,1,\n4,好\n")
        found = list(rows.read(path))
        assert [getattr(row, "code", None) for row in found] == ["bad_row", "missing_text", None, None]
        assert isinstance(found[0], BadRow)
        assert "line 2 has 4 cells and the header 3" in found[0].message

    def test_a_quote_that_is_never_closed_costs_one_row(self, tmp_path):
        path = write(tmp_path / "a.csv", 'id,text\n1,好\n2,"没有结束\n3,"完整，的"\n4,好\n')
        assert texts(path) == ["好", "!bad_row", "完整，的", "好"]
        path = write(tmp_path / "b.csv", 'id,text\n1,"甲\n2,"乙\n3,丙\n')
        assert texts(path) == ["!bad_row", "!bad_row", "丙"]

    def test_quotes_inside_a_cell(self, tmp_path):
        path = write(tmp_path / "a.csv", 'id,text\n1,他说"好"吧\n2,""\n3,"a ""b"""\n')
        assert texts(path) == ['他说"好"吧', "!empty_text", 'a "b"']

    def test_one_very_long_post(self, tmp_path):
        long = "很长" * 100_000
        assert texts(write(tmp_path / "a.csv", f"text\n{long}\n")) == [long]
        assert texts(write(tmp_path / "a.txt", long)) == [long]


class TestEncodings:
    CONTENT = "id,text\n" + "".join(f"{i},{t}\n" for i, t in enumerate(POSTS))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-32"])
    @pytest.mark.parametrize("form", ["csv", "jsonl", "txt", "tsv"])
    def test_are_recognised(self, tmp_path, encoding, form):
        content = {
            "csv": self.CONTENT,
            "tsv": self.CONTENT.replace(",", "\t"),
            "jsonl": "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in POSTS),
            "txt": "\n".join(POSTS),
        }[form]
        path = tmp_path / f"a.{form}"
        path.write_bytes(content.encode(encoding))
        assert texts(path) == POSTS

    def test_big_endian_and_gb18030_by_their_mark(self, tmp_path):
        assert texts(write(tmp_path / "a.txt", codecs.BOM_UTF16_BE + "好累\n累".encode("utf-16-be"))) == ["好累", "累"]
        assert texts(write(tmp_path / "b.txt", "\ufeff好累".encode("gb18030"))) == ["好累"]

    def test_gb18030_after_a_long_ascii_beginning(self, tmp_path):
        content = b"x,text\n" + b"1,hello\n" * 300_000 + "2,好累\n3,真的很难过\n".encode("gb18030")
        assert texts(write(tmp_path / "a.csv", content))[-2:] == ["好累", "真的很难过"]

    def test_mixed_lines_are_each_read_or_told(self, tmp_path):
        rows_ = ["好累啊".encode(), "真的很难过".encode("gb18030"), b"\xe5\xa5\xff\xff\xe4", "还好".encode()]
        found = list(rows.read(write(tmp_path / "a.txt", b"\n".join(rows_))))
        assert [getattr(row, "text", None) for row in found] == ["好累啊", "真的很难过", None, "还好"]
        assert isinstance(found[2], BadRow)
        assert found[2].code == "encoding"
        assert "line 3" in found[2].message
        path = write(tmp_path / "b.csv", b"id,text\n" + b"\n".join(b"x," + row for row in rows_))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert texts(path) == ["好累啊", "真的很难过", "!encoding", "还好"]

    def test_utf8_is_not_taken_for_gb18030(self, tmp_path):
        cut = "今天又没有睡好觉".encode()[:-1]  # a broken character at the end
        assert texts(write(tmp_path / "a.txt", "好累".encode() + b"\n" + cut)) == ["好累", "!encoding"]

    def test_another_encoding_names_the_byte_and_the_command(self, tmp_path):
        with pytest.raises(UserError, match=r"neither UTF-8 nor GB18030 \(byte 0\).*iconv -f BIG5"):
            rows.read(write(tmp_path / "a.txt", "後來我們還是離開了學校，覺得難過\n".encode("big5")))
        with pytest.raises(UserError, match=r"iconv"):
            rows.read(write(tmp_path / "b.txt", "id,text\n1,好累\n".encode("utf-16-le")))

    @pytest.mark.parametrize("wide", ["UTF-16LE", "UTF-16BE"])
    @pytest.mark.parametrize("content", ["后来我们还是离开了学校，觉得很难过\n今天也睡不着\n", "id,text\n1,好累\n"])
    def test_utf16_without_a_mark_is_named(self, tmp_path, wide, content):
        with pytest.raises(UserError, match=f"iconv -f {wide} -t UTF-8"):
            rows.read(write(tmp_path / "a.txt", content.encode(wide)))

    def test_a_cut_utf16_file_names_the_line(self, tmp_path):
        path = write(tmp_path / "a.txt", "好累\n真的".encode("utf-16") + b"\x00")
        with pytest.raises(UserError, match="after line"):
            texts(path)


class TestFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(UserError, match="there is no file"):
            rows.read(tmp_path / "a.csv")

    def test_a_folder(self, tmp_path):
        write(tmp_path / "posts.csv", "text\n好\n")
        with pytest.raises(UserError, match=r"is a folder; name a file in it, such as .*posts.csv"):
            rows.read(tmp_path)

    def test_no_permission(self, tmp_path, monkeypatch):
        path = write(tmp_path / "a.csv", "text\n好\n")

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(UserError, match="permission denied; mend it: chmod"):
            rows.read(path)

    @pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.tsv", "a.parquet", "a.txt"])
    @pytest.mark.parametrize("content", [b"", b"\n \r\n", codecs.BOM_UTF8])
    def test_empty(self, tmp_path, name, content):
        if name == "a.parquet" and content:
            return
        with pytest.raises(UserError, match="is empty"):
            rows.read(write(tmp_path / name, content))

    @pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
    def test_a_header_alone_has_no_rows(self, tmp_path, form):
        path = write(tmp_path / f"a.{form}", "id\ttext\n" if form == "tsv" else "id,text\n")
        if form == "parquet":
            pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
        with pytest.raises(UserError, match=rf"a\.{form} has no rows: nothing to analyse"):
            rows.read(path)

    def test_other_endings(self, tmp_path):
        with pytest.raises(UserError, match=r"\.xlsx is none of .*save it as CSV"):
            rows.read(write(tmp_path / "a.xlsx", b"PK"))

    def test_broken_parquet(self, tmp_path):
        with pytest.raises(UserError, match="is not a Parquet file, or is broken"):
            rows.read(write(tmp_path / "a.parquet", b"PAR1 and nothing more"))
        pq.write_table(pa.table({"text": POSTS * 1000}), tmp_path / "b.parquet", use_dictionary=False)
        whole = (tmp_path / "b.parquet").read_bytes()
        write(tmp_path / "b.parquet", whole[:200] + b"\xff" * 300 + whole[500:])
        with pytest.raises(UserError, match="is broken after row"):
            texts(tmp_path / "b.parquet")

    def test_parquet_under_another_name(self, tmp_path):
        pq.write_table(pa.table({"text": POSTS}), tmp_path / "a.parquet")
        (tmp_path / "a.parquet").rename(tmp_path / "a.csv")
        with pytest.raises(UserError, match="is a Parquet file by its content"):
            rows.read(tmp_path / "a.csv")


def test_memory_stays_flat(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8") as f:
        f.write("text,x\n")
        for i in range(60_000):
            f.write(f"今天是第{i}天，还是很累，什么也不想做，只想睡觉，{i}\n")
    tracemalloc.start()
    assert sum(1 for _ in rows.read(path)) == 60_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@given(st.binary(max_size=300), st.sampled_from(["jsonl", "csv", "tsv", "txt", "json", "parquet"]))
def test_any_bytes_give_rows_or_one_error(tmp_path_factory, content, form):
    path = write(tmp_path_factory.mktemp("any") / f"a.{form}", content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for row in rows.read(path):
                assert isinstance(row, Post | BadRow)
        except UserError:
            pass


cell = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=8))
def test_csv_that_python_wrote_is_read_as_it_was(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, quoting=csv.QUOTE_ALL)
        writer.writerow(["text", "other"])
        writer.writerows(pairs)
    found = list(rows.read(path))
    assert len(found) == len(pairs)
    for row, (text, other) in zip(found, pairs, strict=True):
        assert row.extra == {"other": other}
        assert not isinstance(row, Post) or row.text == text


@given(st.lists(st.text(st.characters(), max_size=20), min_size=1, max_size=8))
def test_jsonl_keeps_any_text(tmp_path_factory, posts):
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in posts))
    for row, text in zip(rows.read(path), posts, strict=True):
        assert not isinstance(row, Post) or row.text == json.loads(json.dumps(text))
