"""SIGKILL at any step, and in the middle of writing: the run goes on, to the same losses and the same bytes."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from mentalglm import runs
from mentalglm.train import llm

from . import small


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recipe, and the folder of its run, in which nothing was killed. Dropout: the random state matters."""
    small.needs_training()
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("kills")
    recipe = small.recipe(folder, dropout=0.1)
    assert llm.command(recipe, folder / "whole", say=lambda line: None) == 0
    return recipe, folder / "whole"


def same(out: Path, whole: Path) -> None:
    assert small.losses(out) == small.losses(whole)
    files = [p.relative_to(whole) for p in whole.rglob("*") if p.is_file() and runs.JOURNAL not in p.parts]
    assert {p for p in files if (out / p).read_bytes() != (whole / p).read_bytes()} <= {Path(runs.PROVENANCE)}
    assert runs.verify(out) == []


# In this order on one run: each process goes on where the one before was killed.
KILLS = [
    ("step", 2),  # before anything was saved
    ("saving", 2),  # a checkpoint with weights alone
    ("kept", 1),  # stage 1 trained, its result not there
    ("saved", 1),  # in stage 2: a checkpoint without the random state
    ("step", 5),
    ("merging", 1),
    ("finishing", 1),
]


def test_killed_wherever_it_ends_the_same(whole: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, unbroken = whole
    out = tmp_path / "run"
    codes = [small.end(small.start(recipe, out, kill))[0] for kill in KILLS]
    assert codes == [-9] * len(KILLS), "every kill hit"
    assert not (out / runs.MANIFEST).exists()
    assert llm.command(recipe, out, say=lambda line: None) == 0
    same(out, unbroken)


def test_a_checkpoint_that_was_cut_off_is_passed_over(whole: tuple[Path, Path], tmp_path: Path) -> None:
    from mentalglm.train.llm import checkpoints

    recipe, _ = whole
    out = tmp_path / "run"
    assert small.end(small.start(recipe, out, ("step", 6))) == [-9]
    work = out / runs.JOURNAL / "1-one"
    before = checkpoints.last(work)
    assert before is not None
    torn = work / "checkpoint-999"
    torn.mkdir()
    (torn / checkpoints.STATE).write_text('{"global_step": 9', encoding="utf-8")
    assert checkpoints.last(work) == before
    assert not torn.exists()
    random_state = before / "rng_state.pth"
    random_state.write_bytes(random_state.read_bytes()[:-40])
    assert not checkpoints.whole(before)


@pytest.mark.slow
def test_ten_kills_at_random(whole: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, unbroken = whole
    out = tmp_path / "run"
    r = random.Random(0)
    hits = 0
    while hits < 10:
        (process,) = small.start(recipe, out)
        process.join(r.uniform(0.3, 4))
        if process.is_alive():
            process.kill()
            hits += 1
        process.join()
        if process.exitcode == 0:  # it got through: from the start again
            same(out, unbroken)
            out = tmp_path / f"run{hits}-{time.monotonic_ns()}"
    assert llm.command(recipe, out, say=lambda line: None) == 0
    same(out, unbroken)
