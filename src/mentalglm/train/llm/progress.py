"""How a stage goes: lines while it runs, its losses as a file, and a plot. Times stay out of the files that are hashed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from . import memory

KEYS = ("step", "loss", "eval_loss", "learning_rate", "grad_norm")
EVERY = 5.0  # seconds between lines


class Progress(TrainerCallback):
    """Says how far a stage is, and keeps its losses in `folder`. counted: tokens that this process has read so far."""

    def __init__(
        self, stage: str, folder: Path, say: Callable[[str], None], counted: Callable[[], int], flops: float, world: int
    ) -> None:
        self.stage, self.folder, self.say, self.counted = stage, folder, say, counted
        self.flops, self.world = flops, world
        self.began = self.last = time.monotonic()
        self.first_step = 0
        self.loss = float("nan")

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.began = self.last = time.monotonic()
        self.first_step = state.global_step
        if state.is_world_process_zero and self.first_step:
            self.say(f"stage {self.stage}: goes on at step {self.first_step} of {state.max_steps}")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        self.loss = (logs or {}).get("loss", self.loss)
        now = time.monotonic()
        if not state.is_world_process_zero or "loss" not in (logs or {}):
            return
        if now - self.last >= EVERY or state.global_step in (1, state.max_steps):
            self.last = now
            self.say(self.line(state.global_step, state.max_steps, now))

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **_: Any
    ) -> None:
        if state.is_world_process_zero and metrics:
            self.say(f"stage {self.stage}: step {state.global_step}: validation loss {metrics['eval_loss']:.4f}")

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            write(self.folder, state.log_history)

    def line(self, step: int, steps: int, now: float) -> str:
        """One line: step, loss, speed, memory, time left."""
        taken = max(now - self.began, 1e-9)
        done = max(step - self.first_step, 1)
        speed = self.counted() * self.world / taken
        peak = memory.peak_flops()
        used = f" · {speed * self.flops / (peak * self.world):.0%} of the peak" if peak else ""
        return (
            f"stage {self.stage}: step {step} of {steps} · loss {self.loss:.4f} · {speed:,.0f} tokens/s{used} · "
            f"{memory.used():.1f} GiB · {left(taken / done * (steps - step))} left"
        )


def left(seconds: float) -> str:
    """`45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def write(folder: Path, history: list[dict[str, float]]) -> None:
    """`losses.jsonl` of a stage: one line a step, and one a check; whole, or as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [{k: x[k] for k in KEYS if k in x} for x in history if "loss" in x or "eval_loss" in x]
    temporary = folder / "losses.jsonl.tmp"
    temporary.write_text("".join(json.dumps(x) + "\n" for x in kept), encoding="utf-8")
    os.replace(temporary, folder / "losses.jsonl")


def read(folder: Path) -> list[dict[str, float]]:
    """The lines of `losses.jsonl`."""
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text(encoding="utf-8").splitlines()]


def draw(folder: Path, title: str, best: int) -> None:
    """`loss.png`: training and validation loss by step, and the step whose weights were taken."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = read(folder)
    train = [(x["step"], x["loss"]) for x in rows if "loss" in x]
    checks = [(x["step"], x["eval_loss"]) for x in rows if "eval_loss" in x]
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    axis.plot(*zip(*train, strict=True), color="0.7", lw=1, label="training, a step")
    axis.plot(*zip(*checks, strict=True), "o-", color="#2b6cb0", ms=3, lw=1.4, label="validation")
    axis.axvline(best, color="#c05621", lw=1, ls="--", label=f"taken: step {best}")
    axis.set(xlabel="step", ylabel="loss (nats an answer token)", title=title)
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "loss.png", dpi=120)
    plt.close(figure)
