"""Fetching against a server on this machine: whole, resumed, broken off, wrong, absent. What arrives is verified."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mentalglm.errors import MissingError, UserError
from mentalglm.sources import catalogue, fetch, find
from mentalglm.sources.source import File, Source
from tests.sources import published as make

PATH = "data/suicide/suicide_train_LLM.csv"
DATA = make.llm([(f"第{n}天，{'雨' * (n % 50)}", n % 2) for n in range(2000)]).encode()


@dataclass
class Server:
    """What the server does, and what it was asked: (path, Range)."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    drop_after: list[int] = field(default_factory=list)  # bytes after which each of the next answers breaks off
    status: list[int] = field(default_factory=list)  # what the next answers say instead
    lie: bool = False  # answers a range with the beginning of the file
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            span = self.headers.get("Range")
            state.asked.append((self.path, span))
            if state.status:
                self.send_error(state.status.pop(0))
                return
            data = next((d for end, d in state.files.items() if self.path.endswith(end)), None)
            if data is None:
                self.send_error(404)
                return
            start = int(span.removeprefix("bytes=").removesuffix("-")) if span and state.ranges else 0
            if start >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if span and state.ranges else 200)
            if span and state.ranges:
                start = 0 if state.lie else start
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            part = data[start:]
            self.wfile.write(part[: state.drop_after.pop(0)] if state.drop_after else part)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    state.files[PATH] = DATA
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def source(**changes: Any) -> Source:
    digest = hashlib.sha256(DATA).hexdigest()[:32]
    file = File(PATH, "train", "llm", rows=2000, bytes=len(DATA), sha256=digest)
    return dataclasses.replace(catalogue.load("sos_hl_1k"), files=(dataclasses.replace(file, **changes),))


def get(folder: Path, server: Server, of: Source | None = None, say: Any = lambda line: None) -> list[fetch.Fetched]:
    return fetch.fetch(of or source(), folder, server.url, say, wait=lambda seconds: None)


def target(folder: Path) -> Path:
    return folder / "SupervisedVsLLM-EfficacyEval" / PATH


def part(folder: Path) -> Path:
    return target(folder).with_name(target(folder).name + ".part")


def test_a_file_is_fetched_verified_and_found_by_the_reader(tmp_path, server):
    (got,) = get(tmp_path, server)
    assert got.state == "fetched"
    assert target(tmp_path).read_bytes() == DATA
    assert not part(tmp_path).exists()
    assert server.asked == [(f"/HongzhiQ/SupervisedVsLLM-EfficacyEval/fa3665d36af4/{PATH}", None)]
    assert len(find.read(source(), tmp_path).rows) == 2000
    assert get(tmp_path, server)[0].state == "there"
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_that_breaks_off_is_gone_on_with(tmp_path, server, ranges):
    server.ranges = ranges
    server.drop_after = [50_000, 30_000]
    lines: list[str] = []
    get(tmp_path, server, say=lines.append)
    assert target(tmp_path).read_bytes() == DATA
    spans = [span for _, span in server.asked]
    assert spans == [None, "bytes=50000-", "bytes=80000-" if ranges else "bytes=30000-"]
    assert any("broke after 50000 of" in line for line in lines)


def test_what_has_arrived_is_kept_for_the_next_call(tmp_path, server):
    server.drop_after = [10_000, 1_000, 0, 0]
    with pytest.raises(MissingError, match="11000 bytes that have arrived are kept, and the same command goes on"):
        get(tmp_path, server)
    assert not target(tmp_path).exists()
    assert part(tmp_path).read_bytes() == DATA[:11_000]
    get(tmp_path, server)
    assert target(tmp_path).read_bytes() == DATA
    assert server.asked[-1][1] == "bytes=11000-"


def test_wrong_bytes_never_get_the_name(tmp_path, server):
    server.files[PATH] = DATA[:-2] + b"xx"
    with pytest.raises(UserError, match="has other bytes than published: SHA-256"):
        get(tmp_path, server)
    assert not target(tmp_path).exists()
    assert not part(tmp_path).exists()
    server.files[PATH] = DATA + b"more"
    with pytest.raises(UserError, match="sends more than the"):
        get(tmp_path, server)
    assert not target(tmp_path).exists()


def test_a_wrong_part_is_given_up(tmp_path, server):
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(b"?" * (len(DATA) + 5))  # longer than the file
    get(tmp_path, server)
    assert target(tmp_path).read_bytes() == DATA
    target(tmp_path).unlink()
    part(tmp_path).write_bytes(b"?" * 100)  # resumed, then found to be wrong: begun anew
    get(tmp_path, server)
    assert target(tmp_path).read_bytes() == DATA


def test_a_whole_part_needs_no_request(tmp_path, server):
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(DATA)
    get(tmp_path, server)
    assert target(tmp_path).read_bytes() == DATA
    assert server.asked == []


def test_a_range_that_was_not_asked_for_is_not_appended(tmp_path, server):
    server.drop_after = [50_000]
    server.lie = True
    get(tmp_path, server)
    assert target(tmp_path).read_bytes() == DATA


def test_a_busy_server_is_asked_again_and_a_refusal_is_final(tmp_path, server):
    server.status = [503, 429]
    get(tmp_path, server)
    assert len(server.asked) == 3
    target(tmp_path).unlink()
    server.status = [403]
    with pytest.raises(UserError, match="answers 403"):
        get(tmp_path, server)
    assert len(server.asked) == 4


def test_no_network_says_what_to_do(tmp_path):
    with pytest.raises(MissingError) as error:
        fetch.fetch(source(), tmp_path, "http://127.0.0.1:9", wait=lambda seconds: None)
    assert "could not be fetched from 127.0.0.1:9: no connection" in error.value.message
    assert "--mirror URL" in error.value.mend
    assert str(target(tmp_path)) in error.value.mend
    assert not part(tmp_path).exists()


def test_a_file_of_another_content_in_place_is_left_alone(tmp_path, server):
    make.write(target(tmp_path), "mine")
    with pytest.raises(UserError, match="is not the published file; move it away"):
        get(tmp_path, server)
    assert target(tmp_path).read_text() == "mine"


def test_absent_files(tmp_path, server):
    server.files = {}
    with pytest.raises(UserError, match="is not at http"):
        get(tmp_path, server)
    assert [path.split("/")[3] for path, _ in server.asked] == ["fa3665d36af4", "HEAD"]
    lines: list[str] = []
    with pytest.raises(UserError, match="nothing of sos_hl_1k is published there"):
        get(tmp_path, server, source(sha256="", bytes=None), lines.append)
    assert "not published there" in lines[0]


def test_without_a_checksum_the_file_is_called_unverified_and_not_resumed(tmp_path, server):
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(b"?" * 10)
    (got,) = get(tmp_path, server, source(sha256="", bytes=None))
    assert got.state == "unverified"
    assert target(tmp_path).read_bytes() == DATA
    assert server.asked[0][1] is None


def test_two_at_once(tmp_path, server):
    path = part(tmp_path)
    path.parent.mkdir(parents=True)
    with fetch._part(path), pytest.raises(UserError, match="another fetch is writing"):
        get(tmp_path, server)


def test_a_full_disk(tmp_path, server, monkeypatch):
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch.os, "fsync", full)
    with pytest.raises(UserError, match="the disk is full"):
        get(tmp_path, server)
    assert not target(tmp_path).exists()
    assert part(tmp_path).read_bytes() == DATA


def test_addresses_and_mirrors():
    of = catalogue.load("cognitive_pathways")
    file = of.files[0]
    assert fetch.urls(dataclasses.replace(of, commit="abc"), file)[0].endswith("/abc/Data/Labeled%20data/data.jsonl")
    assert fetch.urls(of, file, "https://host/x?p={path}&r={repository}") == [
        "https://host/x?p=Data/Labeled%20data/data.jsonl&r=JiangMeng-JM/Cognitive-Pathways"
    ]
    for wrong in ("file:///etc", "host/path", "https://host/{path}/{what}"):
        with pytest.raises(UserError):
            fetch.urls(of, file, wrong)


def test_what_is_fetched():
    assert {f.form for f in fetch.wanted(catalogue.load("sos_hl_1k"))} == {"llm"}
    assert {f.form for f in fetch.wanted(catalogue.load("sos_hl_1k"), ["bert"])} == {"bert"}
    assert {f.role for f in fetch.wanted(catalogue.load("c_imhi_suicide_risk"))} == {"rows", "aux"}
    with pytest.raises(UserError, match="its forms are llm, bert, chat"):
        fetch.wanted(catalogue.load("sos_hl_1k"), ["xml"])
    for key in ("cognitive_pathways", "ordinary_weibo", "pathway_synthetic", "irf_evidence"):
        with pytest.raises(UserError, match="cannot be fetched"):
            fetch.wanted(catalogue.load(key))
