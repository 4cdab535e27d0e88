"""`mentalglm build`, `data` and `publish` as a person calls them: recipes, folders, a remote teacher, fetching."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mentalglm import runs
from mentalglm.sources import catalogue, fetch
from mentalglm.sources.source import File, Source
from tests.build import invented
from tests.build.fake_server import SORRY, Server
from tests.build.invented import HEAD, OFFLINE, accounted, call, contents, dropped, kept, remote
from tests.command import environment
from tests.sources import published


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invented.built(tmp_path_factory)[0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invented.built(tmp_path_factory)[1]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    invented.quick(monkeypatch)


# --- recipes


def test_a_recipe_with_several_errors_says_all_at_once(tmp_path: Path) -> None:
    text = """\
kind = "dataset"
name = "Bad Name"
released = "2026-02-30"
tasks = ["suicide_risk", "suicide"]
colour = "red"
[[sources]]
key = "sos_hl_1"
limits = 3
[[sources]]
limit = 4
[split]
tset = 0.1
[teach]
teachers = ["offline", "remote"]
attemps = 2
[quality]
verdicts = { no_such_reason = "fail" }
"""
    done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", tmp_path)
    assert done.code == 2
    said = done.line
    for part in ("name:", "released: '2026-02-30' is no date such as 2026-01-31", "tasks.1:",
                 "colour: there is no such key", "sources.0.key: there is no set 'sos_hl_1'; did you mean sos_hl_1k?",
                 "sources.0.limits: there is no such key; did you mean limit?", "sources.1: give one of key, table, records",
                 "split.tset: there is no such key; did you mean test?",
                 "teach.attemps: there is no such key; did you mean attempts?",
                 "teach.remote: the teacher `remote` needs a table [teach.remote]",
                 "quality.verdicts: no such reason: no_such_reason"):  # fmt: skip
        assert part in said, (part, said)
    assert "Value error" not in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('"suicide_risk", "cognitive_distortion"', '"pathway_summary"'),
            "made from cognitive_pathway, which is not among",
        ),
        (('"suicide_risk", "cognitive_distortion"', ""), "tasks: "),
        (('key = "sos_4k"', 'key = "sos_hl_1k"'), "sources: sos_hl_1k stands there twice"),
        (('"existing", "offline"', '"offline", "offline"'), "teach.teachers: offline stands there twice"),
        (('kind = "dataset"', 'kind = "model"'), "kind: "),
        (('released = "2026-01-02"\n', ""), "released: Field required"),
        (('name = "invented"', "name = invented"), "is not TOML: "),
    ],
)
def test_what_is_wrong_with_a_recipe_is_one_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in OFFLINE
    done = call("build", invented.recipe(tmp_path / "r.toml", OFFLINE.replace(*change)), "--from", tmp_path)
    assert done.code == 2
    assert said in done.line


def test_a_date_may_be_toml_s_own(tmp_path: Path) -> None:
    from mentalglm.build.recipe import read

    text = OFFLINE.replace('"2026-01-02"', "2026-01-02")
    assert read(invented.recipe(tmp_path / "r.toml", text)) == read(invented.recipe(tmp_path / "s.toml"))


def test_what_a_build_needs_is_said_in_one_line(tmp_path: Path) -> None:
    recipe = invented.recipe(tmp_path / "r.toml")
    done = call("build")
    assert (done.code, "there is no recipe" in done.line) == (2, True)
    done = call("build", tmp_path / "none.toml")
    assert (done.code, f"no recipe at {tmp_path / 'none.toml'}" in done.line) == (2, True)
    done = call("build", recipe, "--out", tmp_path / "out")
    assert done.code == 3
    assert "sos_hl_1k needs a folder" in done.line
    assert "mentalglm data fetch sos_hl_1k" in done.line
    assert "--from FOLDER" in done.line
    done = call("build", recipe, "--from", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert (done.code, "there is no folder" in done.line) == (3, True)
    (tmp_path / "empty").mkdir()
    done = call("build", recipe, "--from", tmp_path / "empty", "--out", tmp_path / "out")
    assert (done.code, "no file of the set sos_hl_1k is in" in done.line) == (3, True)
    assert not (tmp_path / "out").exists()


def test_the_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=4, checked=1, distorted=2)
    monkeypatch.setenv("MENTALGLM_DATA", str(source))
    done = call("build", invented.recipe(tmp_path / "r.toml"), "--out", tmp_path / "out")
    assert done.code == 0, done


def test_a_file_of_which_no_row_can_be_used_is_said_before_anything_is_lost(tmp_path: Path) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=4, checked=1, distorted=2)
    path = source / "sos_hl_1k" / "train.jsonl"
    path.write_bytes(path.read_bytes()[:40])
    done = call("build", invented.recipe(tmp_path / "r.toml"), "--from", source, "--out", tmp_path / "out")
    assert done.code == 2
    assert f"no row of {path} can be used; line 1: the file ends within this row" in done.err
    assert "mentalglm data check sos_hl_1k" in done.err


# --- the folder


def test_a_finished_folder_says_so_and_is_left_alone(source: Path, dataset: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in dataset.rglob("*") if p.is_file()}
    done = call("build", dataset.parent / "recipe.toml", "--from", source, "--out", dataset)
    assert (done.code, done.err) == (0, f"{dataset} holds this very dataset, finished\n")
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in dataset.rglob("*") if p.is_file()} == before


def test_another_dataset_in_the_same_folder_is_refused(source: Path, dataset: Path, tmp_path: Path) -> None:
    before = contents(dataset)
    other = invented.recipe(tmp_path / "r.toml", OFFLINE.replace("2026-01-02", "2026-01-03"))
    done = call("build", other, "--from", source, "--out", dataset)
    assert done.code == 2
    assert "holds another run" in done.line
    assert contents(dataset) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    done = call("build", other, "--from", source, "--out", tmp_path / "mine")
    assert (done.code, "is not empty" in done.line) == (2, True)


def test_a_changed_or_a_missing_file_is_named_and_the_missing_one_made_again(tmp_path: Path) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=4, checked=1, distorted=2)
    argv = ("build", invented.recipe(tmp_path / "r.toml"), "--from", source, "--out", tmp_path / "out")
    assert call(*argv).code == 0
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "train.jsonl").unlink()
    done = call("verify", tmp_path / "out")
    assert (done.code, done.out) == (1, "train.jsonl: missing\n")
    assert call(*argv).code == 0
    assert contents(tmp_path / "out") == before
    with (tmp_path / "out" / "train.jsonl").open("a") as f:
        f.write("{}\n")
    done = call("verify", tmp_path / "out")
    assert done.code == 1
    assert "train.jsonl: rows is" in done.out
    assert "train.jsonl: its content has changed (SHA-256)" in done.out
    done = call(*argv)
    assert (done.code, "one that was changed" in done.line) == (2, True)


HOLD = """\
import sys, time
from mentalglm.build import pipeline
from mentalglm.cli import main
pipeline._build = lambda *a, **k: (print("at work", flush=True), time.sleep(120))
main(sys.argv[1:])
"""


def test_two_builds_in_one_folder_the_second_gets_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    source = invented.folder(tmp_path / "source", risk=4, levels=4, checked=1, distorted=2)
    argv = ["build", invented.recipe(tmp_path / "r.toml"), "--from", source, "--out", tmp_path / "out"]
    command = [sys.executable, "-c", HOLD, *map(str, argv)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"at work\n"
        second = call(*argv)
        purge = call("build", "--purge", tmp_path / "out")
        first.kill()
    assert second.code == purge.code == 2
    for done in (second, purge):
        assert f"another build is at work in {tmp_path / 'out'}; wait for it" in done.line
    assert call(*argv).code == 0  # the lock went with the process
    assert runs.verify(tmp_path / "out") == []


# --- a remote teacher


def of_posts(text: str, *keys: str) -> str:
    """A recipe's head with these sources alone."""
    return HEAD + "".join(f'[[sources]]\nkey = "{key}"\n' for key in keys) + text


GIVEN = 'mode = "given"\nattempts = 2'
QUICK = "retries = 0\nconcurrency = 4"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invented.folder(tmp_path_factory.mktemp("small"), risk=16, levels=4, checked=1, distorted=10)


class Odd(Server):
    """Refuses and drops posts by their words."""

    def __init__(self, refuse: str = "", drop: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(**more)
        self.refuse, self.drop = refuse, drop

    def fault(self, name: str) -> str:
        asked = self.bodies[-1]["messages"][-1]["content"]
        return "drop" if any(text in asked for text in self.drop) else ""

    def complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.refuse and self.refuse in asked["messages"][-1]["content"]:
            return self.completion(SORRY, asked)
        return super().complete(asked)


def test_a_remote_teacher_is_asked_without_the_label_first_and_then_with_it(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    head = of_posts("", "sos_hl_1k", "socialcd_3k")
    with invented.serving(Odd(refuse=invented.read(small / "sos_hl_1k" / "train.jsonl")[0]["text"])) as server:
        recipe = invented.recipe(tmp_path / "r.toml", remote(server.url, QUICK, head=head))
        done = call("build", recipe, "--from", small, "--out", tmp_path / "out")
        assert done.code == 0, done
        asks, bodies = sum(server.asks.values()), list(server.bodies)
        rows, gone = kept(tmp_path / "out"), dropped(tmp_path / "out")
        # --- hidden first, then given
        told = ["已给出的标签" in b["messages"][-1]["content"] or "- `" in b["messages"][-1]["content"] for b in bodies]
        assert not any(told[:16])
        assert any(told)
        agreed = [r for r in rows if r["mode"] == "hidden"]
        differed = [r for r in rows if r["mode"] == "given"]
        assert agreed
        assert differed
        assert all(r["hidden_agrees"] is True and r["hidden_labels"] == r["labels"] for r in agreed)
        assert all(r["hidden_agrees"] is False and r["hidden_labels"] not in (None, r["labels"]) for r in differed)
        # --- a refusal is not asked over and over, and is its own status
        (refused,) = gone
        assert (refused["reason"], refused["source_ids"]) == ("refused", ["sos_hl_1k-train-0001"])
        assert refused["labels"] == ["low"]
        quality = json.loads((tmp_path / "out" / "quality.json").read_text(encoding="utf-8"))
        assert quality["refusals"]["all"] == quality["refusals"]["all"] | {"asked": 26, "refused": 1}
        assert quality["refusals"]["by_label"]["suicide_risk.low"]["refused"] == 1
        (asked,) = quality["asked"].values()
        assert asked["did_not_pass"]["refused"] == 2  # once without the label, once with it
        assert asked["answers"] == asks == len(rows) + len(differed) + 2
        # --- the card names who was asked; a server on this machine needs no leave
        card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
        assert f"m@127.0.0.1:{server.port}" in card
        # --- the journal, and a second build on it
        journal = tmp_path / "out" / ".journal"
        assert stat.S_IMODE(journal.stat().st_mode) == 0o700
        assert stat.S_IMODE((journal / "answers.sqlite").stat().st_mode) == 0o600
        assert accounted(tmp_path / "out") == sorted(
            r["id"] for key in ("sos_hl_1k", "socialcd_3k") for r in invented.read(small / key / "train.jsonl")
        )
        (tmp_path / "out" / "manifest.json").unlink()
        before = contents(tmp_path / "out")
        done = call("build", recipe, "--from", small, "--out", tmp_path / "out")
        assert done.code == 0, done
        assert sum(server.asks.values()) == asks  # nothing journaled is asked twice
        assert {k: v for k, v in contents(tmp_path / "out").items() if k != "manifest.json"} == before
    # --- purged: the dataset is whole, and a build of it asks for nothing
    done = call("build", "--purge", tmp_path / "out")
    assert done.code == 0
    assert done.out.endswith("answers deleted from the journal\n")
    assert not list(journal.glob("answers*"))
    assert runs.verify(tmp_path / "out") == []
    assert "finished" in call("build", recipe, "--from", small, "--out", tmp_path / "out").err
    assert call("build", "--purge", tmp_path / "out").out == "0 answers deleted from the journal\n"
    assert call("build", "--purge", tmp_path / "none").code == 2


def test_a_hidden_answer_whose_level_says_something_else_is_asked_again(small: Path, tmp_path: Path) -> None:
    """The server says 4 of every low post. A gold of 5 keeps the answer and its own level; a gold of 1 does not."""
    pytest.importorskip("aiohttp")
    texts = ("宿舍的水管响了一整夜，我数到天亮", "楼下的包子铺搬走了，早上没什么想吃的")
    rows = [invented.level_row(n, text, level) for n, (text, level) in enumerate(zip(texts, (5, 1), strict=True), 1)]
    invented.write(tmp_path / "source" / "sos_4k" / "train.jsonl", rows)

    class Low(Server):
        def complete(self, asked: dict[str, Any]) -> dict[str, Any]:
            text = super().complete(asked)["choices"][0]["message"]["content"]
            found = json.loads(text) | {"labels": ["low"], "level": 4, "expression": "wish"}
            found["evidence"] = [e | {"label": "low"} for e in found["evidence"]]
            return self.completion(json.dumps(found, ensure_ascii=False), asked)

    with invented.serving(Low()) as server:
        text = remote(server.url, QUICK, teach='mode = "hidden"\nattempts = 1', head=of_posts("", "sos_4k"))
        done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", tmp_path / "source",
                    "--out", tmp_path / "out")  # fmt: skip
        assert done.code == 0, done
    (row,) = kept(tmp_path / "out")
    assert (row["source_ids"], row["level"], row["expression"]) == (["sos_4k-0001"], 5, "wish")
    assert json.loads(row["messages"][1]["content"])["level"] == 5
    (gone,) = dropped(tmp_path / "out")
    assert (gone["source_ids"], gone["reason"]) == (["sos_4k-0002"], "level_not_gold")


def test_rows_without_an_answer_are_exit_3_and_the_next_build_asks_for_these_alone(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    posts = [r["text"] for r in invented.read(small / "sos_hl_1k" / "train.jsonl")]
    lost = (posts[3], posts[8])
    head = of_posts("", "sos_hl_1k", "socialcd_3k")
    with invented.serving(Odd(drop=lost)) as server:
        recipe = invented.recipe(tmp_path / "r.toml", remote(server.url, QUICK, teach=GIVEN, head=head))
        argv = ("build", recipe, "--from", small, "--out", tmp_path / "out")
        done = call(*argv)
        assert done.code == 3
        said = done.err.splitlines()[-1]
        assert said.startswith("mentalglm: 2 of 26 items have no answer yet (")
        assert said.endswith("what was answered is in the journal; run the same command again: it asks for the rest")
        assert not (tmp_path / "out" / "manifest.json").exists()
        asks = dict(server.asks)
        assert len(asks) == 26
        server.drop = ()
        done = call(*argv)
        assert done.code == 0, done
        again = {name: n - asks.get(name, 0) for name, n in server.asks.items() if n != asks.get(name, 0)}
        assert len(again) == 2
        assert set(again.values()) == {1}
    assert len(accounted(tmp_path / "out")) == 26
    assert not [r for r in dropped(tmp_path / "out") if r["reason"] == "failed"]


def test_a_journal_of_its_own_serves_several_builds(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    head = of_posts("", "sos_hl_1k")
    with invented.serving(Server()) as server:
        text = remote(server.url, QUICK, teach=GIVEN, head=head)
        for n, name in enumerate(("one", "two")):
            recipe = invented.recipe(tmp_path / f"{name}.toml", text.replace("2026-01-02", f"2026-01-0{n + 2}"))
            done = call("build", recipe, "--from", small, "--out", tmp_path / name, "--journal", tmp_path / "journal")
            assert done.code == 0, done
            assert sum(server.asks.values()) == 16
    assert stat.S_IMODE((tmp_path / "journal" / "answers.sqlite").stat().st_mode) == 0o600
    assert not list((tmp_path / "one" / ".journal").glob("answers*"))
    assert (tmp_path / "one" / "train.jsonl").read_bytes() == (tmp_path / "two" / "train.jsonl").read_bytes()


def test_a_server_that_is_not_there_is_said_at_once(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = remote(f"http://127.0.0.1:{port}/v1", QUICK, head=of_posts("", "sos_hl_1k"))
    done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", small, "--out", tmp_path / "out")
    assert done.code == 3
    assert f"there is no server at http://127.0.0.1:{port}/v1" in done.err


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What this process tries to reach; nothing is reached."""
    tried: list[Any] = []

    def no(*given: Any, **more: Any) -> Any:
        tried.append(given)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", no)
    monkeypatch.setattr(socket.socket, "connect_ex", no)
    monkeypatch.setattr(socket, "getaddrinfo", no)
    return tried


FAR = 'country = "Nowhere"\nkey_env = "MENTALGLM_TEST_KEY"\nretries = 0'


def test_posts_leave_the_machine_only_where_somebody_agreed(
    small: Path, tmp_path: Path, reached: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENTALGLM_TEST_KEY", "sk-not-a-key")
    text = remote("https://teacher.invalid/v1", FAR, head=of_posts("", "sos_hl_1k"))
    argv = ("build", invented.recipe(tmp_path / "r.toml", text), "--from", small, "--out", tmp_path / "out")
    done = call(*argv)
    assert done.code == 2
    assert "the posts would be sent to m at teacher.invalid (Nowhere), which this machine does not control" in done.line
    assert "--yes" in done.line
    assert reached == []
    assert not (tmp_path / "out").exists()
    pytest.importorskip("aiohttp")
    done = call(*argv, "--yes")
    assert done.code == 3
    assert "there is no server at https://teacher.invalid/v1" in done.err
    assert reached  # the test would have seen it
    assert "sk-not-a-key" not in done.err


def test_without_its_key_nothing_is_asked(small: Path, tmp_path: Path, reached: list[Any],
                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    pytest.importorskip("aiohttp")
    monkeypatch.delenv("MENTALGLM_TEST_KEY", raising=False)
    text = remote("https://teacher.invalid/v1", FAR, head=of_posts("", "sos_hl_1k"))
    argv = ("build", invented.recipe(tmp_path / "r.toml", text), "--from", small, "--out", tmp_path / "out", "--yes")
    done = call(*argv)
    assert done.code == 3
    assert "there is no key for teacher.invalid: MENTALGLM_TEST_KEY is not set; export MENTALGLM_TEST_KEY=" in done.err
    assert reached == []


def test_a_key_that_is_refused_is_one_line(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setenv("MENTALGLM_TEST_KEY", "sk-wrong")
    with invented.serving(Server(key="sk-right")) as server:
        text = remote(server.url, 'key_env = "MENTALGLM_TEST_KEY"\nretries = 0', head=of_posts("", "sos_hl_1k"))
        done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", small, "--out", tmp_path / "out")
    assert done.code == 2
    assert "the key is refused by 127.0.0.1" in done.err.splitlines()[-1]
    assert "sk-wrong" not in done.err


@pytest.mark.parametrize(
    ("more", "said"), [("", "country is missing"), ('country = "X"\nsk = "y"', "there is no such key")]
)
def test_a_server_elsewhere_must_say_where_it_is(small: Path, tmp_path: Path, more: str, said: str) -> None:
    text = remote("https://teacher.invalid/v1", more, head=of_posts("", "sos_hl_1k"))
    done = call(
        "build", invented.recipe(tmp_path / "r.toml", text), "--from", small, "--out", tmp_path / "out", "--yes"
    )
    assert (done.code, said in done.line) == (2, True), done


def test_what_a_remote_teacher_refuses_the_offline_one_words(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    first = invented.read(small / "sos_hl_1k" / "train.jsonl")[0]
    with invented.serving(Odd(refuse=first["text"])) as server:
        text = remote(server.url, QUICK, teach=GIVEN, head=of_posts("", "sos_hl_1k"))
        text = text.replace('["remote"]', '["remote", "offline"]')
        done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", small, "--out", tmp_path / "out")
    assert done.code == 0, done
    teachers = {r["source_ids"][0]: r["teacher"] for r in kept(tmp_path / "out")}
    assert teachers.pop(first["id"]) == "offline"
    assert set(teachers.values()) == {f"m@127.0.0.1:{server.port}"}


# --- data


def test_data_list_names_every_set_and_what_is_here(source: Path) -> None:
    done = call("data", "list", "--from", source)
    assert done.code == 0
    lines = {line.split()[0]: line.split() for line in done.out.splitlines() if line.strip()}
    assert set(lines) >= {s.key for s in catalogue.SOURCES}
    assert "tidy" in lines["sos_hl_1k"]
    assert "package" in lines["pathway_synthetic"]
    assert "tidy" not in lines["sos_1k"]
    assert "here" not in call("data", "list").out.splitlines()[0].split()


def test_data_check_says_what_differs(source: Path, tmp_path: Path) -> None:
    done = call("data", "check", "sos_hl_1k", "--from", source)
    assert done.code == 1
    assert done.out.startswith("sos_hl_1k: tidy, 22 rows; differs\n")
    assert "997" in done.out
    done = call("data", "check", "pathway_synthetic")
    assert (done.code, done.out.splitlines()[0].startswith("pathway_synthetic: tidy, 660 rows")) == (0, True), done
    done = call("data", "check", "--from", source)
    assert [line.split(":")[0] for line in done.out.splitlines() if not line.startswith(" ")] == [
        "sos_hl_1k", "sos_4k", "socialcd_3k", "pathway_synthetic",
    ]  # fmt: skip
    done = call("data", "check", "sos_4", "--from", source)
    assert (done.code, "there is no set 'sos_4'; did you mean sos_4k?" in done.line) == (2, True)


DATA = published.llm([(f"第{n}天，窗外{'雨' * (n % 9)}", n % 2) for n in range(40)]).encode()


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server with one file of a set whose checksum is known."""
    path = "data/suicide/suicide_train_LLM.csv"
    files = {path: DATA}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            data = next((d for end, d in files.items() if self.path.endswith(end)), None)
            if data is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return None

    def load(key: str, real: Any = catalogue.load) -> Source:
        digest = hashlib.sha256(DATA).hexdigest()[:32]
        file = File(path, "train", "llm", rows=40, bytes=len(DATA), sha256=digest)
        return dataclasses.replace(real(key), files=(file,))

    monkeypatch.setattr(catalogue, "load", load)
    monkeypatch.setattr(fetch, "TRIES", 1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", files
    server.shutdown()
    server.server_close()
    thread.join()


def test_data_fetch_brings_a_set_and_a_build_finds_it(mirror: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, _ = mirror
    done = call("data", "fetch", "sos_hl_1k", "--out", tmp_path / "data", "--mirror", url)
    assert done.code == 0, done
    path = tmp_path / "data" / "SupervisedVsLLM-EfficacyEval" / "data" / "suicide" / "suicide_train_LLM.csv"
    assert done.out == f"sos_hl_1k: {path} (fetched)\n"
    assert path.read_bytes() == DATA
    again = call("data", "fetch", "sos_hl_1k", "--out", tmp_path / "data", "--mirror", url)
    assert again.out == f"sos_hl_1k: {path} (there)\n"
    text = of_posts('[teach]\nteachers = ["existing"]\n', "sos_hl_1k")
    done = call(
        "build", invented.recipe(tmp_path / "r.toml", text), "--from", tmp_path / "data", "--out", tmp_path / "o"
    )
    assert "40 labelled posts read" in done.err


def test_data_fetch_keeps_nothing_that_is_wrong(mirror: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, files = mirror
    files["data/suicide/suicide_train_LLM.csv"] = DATA[:-3] + b"xyz"
    done = call("data", "fetch", "sos_hl_1k", "--out", tmp_path, "--mirror", url)
    assert (done.code, "has other bytes than published" in done.err) == (2, True)
    files.clear()
    done = call("data", "fetch", "sos_hl_1k", "--out", tmp_path, "--mirror", url)
    assert (done.code, "--mirror URL" in done.err) == (2, True)
    done = call("data", "fetch", "sos_hl_1k", "--out", tmp_path, "--mirror", "http://127.0.0.1:9")
    assert (done.code, "could not be fetched from 127.0.0.1:9" in done.err) == (3, True)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_data_fetch_says_what_it_needs(tmp_path: Path) -> None:
    done = call("data", "fetch")
    assert (done.code, "no set is named" in done.line) == (2, True)
    done = call("data", "fetch", "pathway_synthetic", "--out", tmp_path)
    assert (done.code, "it ships with the project" in done.line) == (2, True)


# --- publish


def test_a_published_dataset_holds_no_word_of_a_post_and_comes_back_whole(
    source: Path, dataset: Path, tmp_path: Path
) -> None:
    done = call("publish", dataset, "--out", tmp_path / "public")
    assert done.code == 0, done
    assert f"{len(kept(dataset))} rows without their posts in" in done.err
    assert runs.verify(tmp_path / "public") == []
    whole = "".join(
        p.read_text(encoding="utf-8")
        for p in (tmp_path / "public").rglob("*")
        if p.suffix in (".jsonl", ".json", ".md")
    )
    rows = kept(dataset)
    for row in rows:
        assert row["text"] not in whole
        for e in row["evidence"]:
            assert len(e["quote"]) < 6 or e["quote"] not in whole, e
    posts = {r["id"]: r["text"] for r in rows}
    for row in kept(tmp_path / "public"):  # quoted words are taken out however short they are
        said = re.findall("“([^“”]+)”", row["explanation"])
        assert said or row["level"] == 0
        assert not [q for q in said if q in posts[row["id"]]], row["explanation"]
    done = call("publish", "--restore", tmp_path / "public", "--from", source, "--out", tmp_path / "back")
    assert done.code == 0, done
    assert f"{len(rows)} rows restored, 0 posts not held, 0 in another wording" in done.err
    for split in ("train", "validation", "test"):
        name = f"{split}.jsonl"
        assert (tmp_path / "back" / name).read_bytes() == (dataset / name).read_bytes()
        for style in ("alpaca", "messages"):
            assert (tmp_path / "back" / style / name).read_bytes() == (dataset / style / name).read_bytes()
    assert runs.verify(tmp_path / "back") == []


def test_posts_that_are_not_held_or_were_changed_are_counted(source: Path, dataset: Path, tmp_path: Path) -> None:
    assert call("publish", dataset, "--out", tmp_path / "public").code == 0
    part = invented.copy(source, tmp_path / "part")
    (part / "socialcd_3k" / "train.jsonl").unlink()
    path = part / "sos_hl_1k" / "train.jsonl"
    rows = invented.read(path)
    rows[-1]["text"] += "！！"
    invented.write(path, rows)
    done = call("publish", "--restore", tmp_path / "public", "--from", part, "--out", tmp_path / "back")
    assert done.code == 1
    distorted = sum(r["task"] == "cognitive_distortion" for r in kept(dataset))
    left = len(kept(dataset)) - distorted - 1
    assert f"{left} rows restored, {distorted} posts not held, 1 in another wording" in done.err
    missing = invented.read(tmp_path / "back" / "missing.jsonl")
    assert sorted(r["reason"] for r in missing) == ["missing"] * distorted + ["other_text"]


def test_publish_says_what_it_needs(dataset: Path, tmp_path: Path) -> None:
    for argv in ((), (dataset, "--restore", dataset)):
        done = call("publish", *argv, "--out", tmp_path / "x")
        assert (done.code, "give a dataset to strip, or --restore" in done.line) == (2, True)
    done = call("publish", tmp_path, "--out", tmp_path / "x")
    assert (done.code, "name a dataset that `mentalglm build` wrote" in done.line) == (2, True)
    assert call("publish", dataset, "--out", tmp_path / "public").code == 0
    (tmp_path / "empty").mkdir()
    done = call("publish", "--restore", tmp_path / "public", "--from", tmp_path / "empty", "--out", tmp_path / "x")
    assert (done.code, "none of the dataset's sets is here" in done.line) == (3, True)
