"""Checkpoints of a stage: the last whole one, after whatever stopped the run, even in the middle of writing one."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

_NAME = re.compile(r"checkpoint-(\d+)")
STATE = "trainer_state.json"


def last(folder: Path, world: int = 1) -> Path | None:
    """The last whole checkpoint in `folder`; those that were cut off in writing are removed. world: the processes."""
    found = sorted(
        ((int(m[1]), p) for p in folder.glob("checkpoint-*") if (m := _NAME.fullmatch(p.name))), reverse=True
    )
    for _, path in found:
        if whole(path, world):
            return path
        shutil.rmtree(path, ignore_errors=True)
    return None


def whole(path: Path, world: int = 1) -> bool:
    """Whether everything of a checkpoint was written: the state comes last, and each process's random state is a file of
    its own, whose index stands at its end."""
    names = ["rng_state.pth"] if world == 1 else [f"rng_state_{k}.pth" for k in range(world)]
    return state(path) is not None and all(zipfile.is_zipfile(path / name) for name in names)


def state(path: Path) -> dict[str, Any] | None:
    """The trainer's state in a checkpoint; None where there is none to be read."""
    try:
        return json.loads((path / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def best(folder: Path, world: int = 1) -> Path:
    """The checkpoint with the lowest validation loss, by the state of the last one."""
    newest = last(folder, world)
    assert newest is not None, "a finished stage has a checkpoint"
    named = (state(newest) or {}).get("best_model_checkpoint")
    path = folder / Path(named).name if named else newest
    return path if path.is_dir() else newest
