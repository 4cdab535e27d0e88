"""The journal: nothing that was written is lost, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mentalglm.build.journal import Entry, Journal, Key
from mentalglm.errors import UserError

SECRET = "今天又搞砸了，谁也不想见"


def key(n: int = 0, **more: Any) -> Key:
    return Key("t", f"k{n}-suicide_risk", "given", 1, "r")._replace(**more)


def entry(n: int = 0, status: Any = "ok") -> Entry:
    return Entry(status, f"{SECRET}{n}", "", 900, 150, 0.5, 0.2, 1000.0 + n, {"cached_tokens": n})


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.begin(key())
        journal.put(key(), entry(3))
        assert journal.get(key()) == entry(3)
    with Journal.open(path) as journal:
        assert journal.get(key()) == entry(3)
        for other in ("teacher", "item", "mode", "request"):
            assert journal.get(key()._replace(**{other: "hidden"})) is None
        assert journal.get(key(attempt=2)) is None
        assert journal.spent("t") == (0.5, 1050)
        assert journal.spent("u") == (0.0, 0)


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.begin(key())
        with pytest.raises(ValueError, match="failed"):
            journal.put(key(), entry(status="failed"))
        journal.give_up(key())
        assert journal.counts().in_flight == 0
        assert journal.counts().answers == 0


Step = st.tuples(st.sampled_from(["begin", "put", "give_up", "reopen"]), st.integers(0, 4))


@settings(max_examples=40)
@given(st.lists(Step, max_size=20))
def test_it_counts_as_a_dictionary_would(steps: list[tuple[str, int]]) -> None:
    kept: dict[int, int] = {}
    asked: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder) / "j")
        try:
            for what, n in steps:
                if what == "begin":
                    journal.begin(key(n))
                    asked[n] = asked.get(n, 0) + 1
                elif what == "put":
                    journal.put(key(n), entry(n, ("ok", "refused", "unparsed")[n % 3]))
                    kept[n] = asked.pop(n, 1)
                elif what == "give_up":
                    journal.give_up(key(n))
                    asked.pop(n, None)
                else:
                    journal.close()
                    journal = Journal.open(Path(folder) / "j")
                counts = journal.counts()
                assert counts.answers == len(kept)
                assert counts.in_flight == len(asked)
                assert counts.asked_again == sum(t - 1 for t in (*kept.values(), *asked.values()))
                assert counts.tokens_in == 900 * len(kept)
                assert all((journal.get(key(m)) is not None) == (m in kept) for m in range(5))
        finally:
            journal.close()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Journal.open(tmp_path / "j") as journal:
            journal.put(key(), entry())
            files = sorted(p.name for p in tmp_path.iterdir())
            assert files == ["j", "j-wal", "j.lock"]
            assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {0o600}
    finally:
        os.umask(before)
    (tmp_path / "j").chmod(0o644)  # a copy that was put back
    with Journal.open(tmp_path / "j"):
        assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600


def test_a_second_build_is_told_so(tmp_path: Path) -> None:
    code = (
        "import sys; from mentalglm.build.journal import Journal; from mentalglm.errors import UserError\n"
        "try: Journal.open(sys.argv[1])\n"
        "except UserError as error: print(error)"
    )
    with Journal.open(tmp_path / "j") as journal:
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "j")], capture_output=True, text=True)
        assert f"another build (process {os.getpid()}) is at work in {tmp_path}" in done.stdout, done
        journal.put(key(), entry())  # nothing happened to the first
    with Journal.open(tmp_path / "j") as journal:
        assert journal.get(key()) == entry()


KILLED = """
import sys
from mentalglm.build.journal import Entry, Journal, Key
journal = Journal.open(sys.argv[1])
for n in range(100_000):
    key = Key("t", f"k{n}", "given", 1, "r")
    journal.begin(key)
    print("asked", n, flush=True)
    journal.put(key, Entry("ok", f"answer {n}"))
    print("kept", n, flush=True)
"""


def test_a_kill_loses_nothing_that_was_written(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "j")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(501)]
    process.send_signal(signal.SIGKILL)
    lines += [line.split() for line in process.stdout.read().split("\n") if line.count(" ") == 1]
    process.wait()
    kept = {int(n) for what, n in lines if what == "kept"}
    asked = {int(n) for what, n in lines if what == "asked"}
    with Journal.open(tmp_path / "j") as journal:
        counts = journal.counts()
        assert len(kept) >= 250
        assert all(journal.get(Key("t", f"k{n}", "given", 1, "r")) for n in kept)
        assert counts.answers + counts.in_flight >= len(asked)
        assert counts.in_flight <= 1
        if counts.in_flight:
            last = Key("t", f"k{counts.answers}", "given", 1, "r")
            journal.begin(last)
            journal.put(last, entry())
            assert journal.counts().asked_again == 1


def _filled(path: Path) -> bytes:
    with Journal.open(path) as journal:
        for n in range(200):
            journal.put(key(n), entry(n))
    return path.read_bytes()


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2 + 100]


def _scrambled(data: bytes) -> bytes:
    return data[:4096] + b"\x5a" * (len(data) - 4096)


def _headless(data: bytes) -> bytes:
    return b"garbage!" * 3 + data[24:]


def _rotten(data: bytes) -> bytes:
    return data[:120] + bytes(255 - b for b in data[120:4096]) + data[4096:]


@pytest.mark.parametrize("spoil", [_half, _scrambled, _headless, _rotten])
def test_a_damaged_file_is_said_and_left_alone(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "j"
    spoilt = spoil(_filled(path))
    path.write_bytes(spoilt)
    with pytest.raises(UserError, match="damaged") as caught:
        Journal.open(path)
    assert "left as it is" in str(caught.value)
    assert path.read_bytes() == spoilt
    with pytest.raises(UserError, match="damaged"):  # and the lock was given back
        Journal.open(path)


def test_another_database_is_no_journal(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "j")
    database.execute("create table mine (x)")
    database.close()
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(UserError, match="no journal"):
        Journal.open(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == before


def test_a_journal_of_another_version_is_not_touched(tmp_path: Path) -> None:
    _filled(tmp_path / "j")
    database = sqlite3.connect(tmp_path / "j")
    database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(UserError, match="version 99"):
        Journal.open(tmp_path / "j")


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    kept = []
    with Journal.open(tmp_path / "j") as journal:
        journal._database.execute("pragma max_page_count = 40")  # SQLite's own "disk is full"

        def fill() -> None:
            for n in range(1000):
                journal.begin(key(n))
                journal.put(key(n), entry(n))
                kept.append(n)

        with pytest.raises(UserError, match="the disk is full") as caught:
            fill()
        assert "free some space and start again" in str(caught.value)
        assert len(kept) > 10
    with Journal.open(tmp_path / "j") as journal:
        assert [n for n in range(1000) if journal.get(key(n)) == entry(n)] == kept
        journal.put(key(len(kept)), entry())


def test_a_place_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot make"):
        Journal.open(tmp_path / "gone" / "j")


def test_purge_takes_the_posts_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal.open(path) as journal:
        for n in range(50):
            journal.put(key(n), entry(n))
        journal.begin(key(60))
        journal.batch("b1", "t", ["x"])
        assert journal.purge(older_than=1010.0) == 10
        assert [n for n in range(50) if journal.get(key(n))] == list(range(10, 50))
        assert b"k3-suicide_risk" not in path.read_bytes()
        assert journal.purge(all=True) == 40
        assert SECRET.encode() not in path.read_bytes()
        assert SECRET.encode() not in Path(f"{path}-wal").read_bytes()
        assert journal.counts().in_flight == 0
        assert journal.batches("t") == {}
        with pytest.raises(ValueError, match="either"):
            journal.purge()
    assert SECRET.encode() not in path.read_bytes()


def test_batches_are_remembered(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.batch("b1", "t", ["x", "y"])
        journal.batch("b2", "u", ["z"])
    with Journal.open(tmp_path / "j") as journal:
        assert journal.batches("t") == {"b1": ["x", "y"]}
        journal.batch_done("b1")
        assert journal.batches("t") == {}
