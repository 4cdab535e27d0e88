"""Twenty kills at random points, over a server that fails in every way: nothing journaled is lost or asked twice.

`MENTALGLM_KILLS` and `MENTALGLM_KILL_ROWS` make it longer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS, ROWS = int(os.environ.get("MENTALGLM_KILLS", "20")), int(os.environ.get("MENTALGLM_KILL_ROWS", "1000"))
FAULTS = "429=0.03,500=0.03,drop=0.03,cut=0.02,garbage=0.03,half=0.03,huge=0.005,empty=0.01"
IN_FLIGHT = 16

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")]


@contextmanager
def server(*options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.build.fake_server", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def drive(folder: Path, port: str, kills: int) -> dict:
    command = [sys.executable, "-m", "tests.build.kill_driver", str(folder), port, str(ROWS), str(kills), "7"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_kills_lose_nothing_ask_nothing_twice_and_end_in_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    (tmp_path / "killed").mkdir()
    (tmp_path / "calm").mkdir()
    with server("--latency", "0.02", "--faults", FAULTS, "--seed", "5") as port:
        out = drive(tmp_path / "killed", port, KILLS)
    with server("--latency", "0") as port:
        calm = drive(tmp_path / "calm", port, 0)
    assert len(out["seen"]) == KILLS  # each of them hit a build at work
    assert (tmp_path / "killed" / "answers.jsonl").read_bytes() == (tmp_path / "calm" / "answers.jsonl").read_bytes()
    assert out["answers"] == calm["answers"] == ROWS
    asks, faults = out["log"]["asks"], out["log"]["faults"]
    for before, after in zip(out["seen"], out["seen"][1:], strict=False):
        assert set(before["kept"]) <= set(after["kept"])  # nothing is lost
    for seen in out["seen"]:
        assert seen["in_flight"] <= IN_FLIGHT
        assert {name: asks[name] for name in seen["kept"]} == seen["kept"]  # nothing journaled is asked again
    extra = sum(asks.values()) - sum(faults.values()) - ROWS
    assert extra <= out["asked_again"]  # every question that was put twice is counted
    assert out["asked_again"] <= sum(seen["in_flight"] for seen in out["seen"])
    assert out["asked_again"] > 0
    assert out["in_flight"] == 0
    assert sum(faults.values()) > ROWS / 20
    assert calm["asked_again"] == 0
