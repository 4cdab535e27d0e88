"""A small language model to train in tests, the recipes for it, and runs in processes that can be killed."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

BASE = """\
[base]
template = "glm4"
[base.new]
hidden = 32
layers = 2
heads = 2
kv_heads = 1
ffn = 64
vocabulary = 600
"""
RECIPE = """\
# mentalglm train small.toml
kind = "llm"
name = "small"
seed = 3
policy = "{policy}"
save = "merged"
{base}
[fit]
tokens = 512
packing = "{packing}"
[[stages]]
name = "one"
sources = [{{ shipped = "tiny/imhi", limit = 12 }}]
tune = "{tune}"
lora = {{ rank = 4, dropout = {dropout} }}
epochs = 3
rate = 5e-3
batch = 2
checks = 3
[[stages]]
name = "two"
sources = [{{ shipped = "tiny/c_imhi", tasks = ["suicide_risk"], limit = 10 }}]
replay = {replay}
lora = {{ rank = 4, dropout = {dropout} }}
epochs = 3
rate = 5e-3
batch = 2
checks = 3
"""


def needs_training() -> None:
    """Skips where the libraries that tune a language model are not installed; the base install has none of them."""
    for module in ("torch", "transformers", "peft", "accelerate", "matplotlib"):
        pytest.importorskip(module, reason=f"tuning a language model needs {module} (the extra `train`)")


def recipe(
    folder: Path, policy: str = "merge_then_new", tune: str = "full", replay: float = 0.2, dropout: float = 0.0,
    packing: str = "pack", base: str = BASE,
) -> Path:  # fmt: skip
    """A two-stage recipe of a few steps, written into `folder`."""
    path = folder / "small.toml"
    text = RECIPE.format(policy=policy, tune=tune, replay=replay, dropout=dropout, packing=packing, base=base)
    path.write_text(text, encoding="utf-8")
    return path


@functools.cache
def tokenizer() -> Any:
    """A tokenizer made from the shipped examples, as `tiny` has one."""
    import tempfile

    from mentalglm.train.llm import model
    from mentalglm.train.llm.recipe import Base, NewBase

    with tempfile.TemporaryDirectory() as folder:
        return model.tokenizer_of(Base(new=NewBase(vocabulary=900)), texts(), Path(folder))


def texts() -> list[str]:
    from mentalglm.train.llm.data import SHIPPED

    lines = [x for p in sorted((SHIPPED / "tiny").rglob("train.jsonl")) for x in p.read_text("utf-8").splitlines()]
    return [m["content"] for x in lines for m in json.loads(x)["messages"]]


def encoder(template: str = "glm4") -> Any:
    from mentalglm.train.llm.encode import Encoder
    from mentalglm.train.llm.template import TEMPLATES

    return Encoder(tokenizer(), TEMPLATES[template])


def losses(out: Path) -> list[dict[str, float]]:
    """The losses of both stages, one behind the other."""
    from mentalglm.train.llm import progress

    return [row for stage in ("one", "two") for row in progress.read(out / stage)]


# --- runs in processes of their own


def work(recipe: str, out: str, kill: tuple[str, int] | None, rank: int, world: int, port: int) -> None:
    """One process of a run. kill: where it kills itself with SIGKILL: (what, the how manieth time)."""
    import torch

    torch.set_num_threads(1)
    if world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1",
                       "MASTER_PORT": str(port)}  # fmt: skip
    from mentalglm.train import llm
    from mentalglm.train.llm import adapters, save, stage, trainer

    if kill:
        places: dict[str, tuple[Any, str]] = {
            "step": (trainer.StageTrainer, "training_step"),
            "saving": (
                trainer.StageTrainer,
                "_save_optimizer_and_scheduler",
            ),  # the weights are written, the rest is not
            "saved": (trainer.StageTrainer, "_save_rng_state"),
            "kept": (stage, "_keep"),
            "merging": (adapters, "merge"),
            "finishing": (save, "card"),
        }
        _kill_at(*places[kill[0]], kill[1])
    raise SystemExit(llm.command(Path(recipe), Path(out), say=lambda line: None))


def _kill_at(owner: Any, name: str, count: int) -> None:
    real, seen = getattr(owner, name), [0]

    def deadly(*args: Any, **kwargs: Any) -> Any:
        seen[0] += 1
        if seen[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, deadly)


def start(recipe: Path, out: Path, kill: tuple[str, int] | None = None, world: int = 1) -> list[Any]:
    """The processes of a run, started. They fork from one that has the libraries loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.train_llm.preload"])
    port = 0
    if world > 1:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
    processes = [
        context.Process(target=work, args=(str(recipe), str(out), kill, rank, world, port)) for rank in range(world)
    ]
    for process in processes:
        process.start()
    return processes


def end(processes: list[Any], seconds: float = 120) -> list[int]:
    """Exit codes of the processes; one that hangs is killed and gives -9."""
    for process in processes:
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
    return [process.exitcode for process in processes]
