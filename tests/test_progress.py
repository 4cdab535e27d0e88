from __future__ import annotations

import os
import threading
from pathlib import Path

from mentalglm.progress import bar, count_rows


def test_rows_are_counted(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (tmp_path / "a.jsonl").write_bytes(b"{}\n{}\n")
    (tmp_path / "a.csv").write_bytes(b'id,text\n1,"two\nlines"\n2,one\n')
    (tmp_path / "a.tsv").write_bytes(b"id\ttext\n1\tone\n")
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b", "c"]}), tmp_path / "a.parquet")
    counted = {p.suffix: count_rows(p) for p in tmp_path.iterdir()}
    assert counted == {".jsonl": 2, ".csv": 2, ".tsv": 1, ".parquet": 3}


def test_what_cannot_be_counted_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    assert count_rows(tmp_path / "a.parquet") is None
    assert count_rows(tmp_path / "gone.jsonl") is None


def test_a_pipe_keeps_its_rows(tmp_path: Path) -> None:
    """As in --input /dev/stdin or <(zcat posts.gz): who counts them has taken them."""
    pipe = tmp_path / "posts.jsonl"
    os.mkfifo(pipe)
    write = threading.Thread(target=lambda: pipe.write_bytes(b"{}\n{}\n"), daemon=True)
    write.start()
    assert count_rows(pipe) is None
    assert pipe.read_bytes() == b"{}\n{}\n"


def test_without_a_terminal_there_is_no_bar() -> None:
    def never() -> int:
        raise AssertionError("counted for nothing")

    with bar(never) as advance:
        advance({})
