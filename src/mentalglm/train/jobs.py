"""The fits of a run, one after the other or side by side, those that are there already left alone."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from mentalglm.train import mini
from mentalglm.train.recipe import Recipe

Say = Callable[[str], None]
_WORKER: dict[str, tuple[mini.Prepared, Path, Say]] = {}  # what a worker process prepared, once for all of its fits


def run(prepared: mini.Prepared, from_: Path | None, out: Path, workers: int, say: Say) -> None:
    """Every fit of the recipe into `out`: n-grams, the warm start, the network; on everything and once a fold."""
    recipe = prepared.recipe
    fits = [None, *range(recipe.fit.folds)]
    warm = warm_start(prepared, out, say)
    # a fit gives its file its name last, so that one which is there is whole
    left = [k for k in fits if not (mini.network_file(out, k).exists() and mini.ngrams_file(out, k).exists())]
    if not left:
        return
    watch = Watch(sum(not mini.network_file(out, k).exists() for k in left) * recipe.fit.epochs, say)
    if workers == 1:
        prepared.start_from(warm)
        for k in left:
            one(prepared, k, out, watch.epoch)
        return
    # spawned, since a fork of a process that has run torch may hang; lines come back through a queue, for the watch
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        lines = manager.Queue()
        threads = max(1, (os.cpu_count() or 1) // workers)
        with ProcessPoolExecutor(workers, context, _prepare, (recipe, from_, out, warm, threads, lines)) as pool:
            waiting = {pool.submit(_one, k) for k in left}
            try:
                while waiting:
                    done = {f for f in waiting if f.done()}
                    for f in done:
                        f.result()
                    waiting -= done
                    while not lines.empty():
                        watch.epoch(lines.get())
                    time.sleep(0.2)
            except BaseException:
                pool.shutdown(cancel_futures=True)  # the fits that run end first; those that wait do not start
                raise


def warm_start(prepared: mini.Prepared, out: Path, say: Say) -> Path | None:
    torch.manual_seed(prepared.recipe.seed)
    return mini.warm_start(prepared, out, say)


def one(prepared: mini.Prepared, fold: int | None, out: Path, say: Say) -> None:
    """Both halves of one fit. It gives the same whichever came before it."""
    mini.fit_ngrams(prepared, fold, out)
    torch.manual_seed(prepared.recipe.seed)
    mini.fit_network(prepared, fold, out, say)


def _prepare(recipe: Recipe, from_: Path | None, out: Path, warm: Path | None, threads: int, lines: Any) -> None:
    torch.set_num_threads(threads)
    prepared = mini.Prepared(recipe, from_, lambda line: None)
    prepared.start_from(warm)
    _WORKER["it"] = prepared, out, lines.put


def _one(fold: int | None) -> None:
    prepared, out, say = _WORKER["it"]
    one(prepared, fold, out, say)


class Watch:
    """Says each epoch's line with the time that the other epochs, of like length, will take; `total` are to do."""

    def __init__(self, total: int, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.say, self.done, self.clock, self.began = total, say, 0, clock, clock()

    def epoch(self, line: str) -> None:
        self.done += 1
        left = (self.clock() - self.began) / self.done * (self.total - self.done)
        self.say(f"{line}; {duration(left)} left")


def duration(seconds: float) -> str:
    """40 s, 12 min, 1 h 5 min."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
