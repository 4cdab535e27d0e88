"""Two-stage instruction tuning of a language model: `mentalglm train RECIPE` for recipes of the kind `llm`.

A run folder holds `model/` (the result, which `analyze --model` takes), and a folder a stage with its losses, their plot
and its adapter. Checkpoints lie in `.journal/` while it runs.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import StageData
    from .recipe import Recipe
    from .world import World

Say = Callable[[str], None]
MODEL = "model"


def command(
    recipe: Path, out: Path | None = None, from_: Path | None = None, say: Say | None = None, overwrite: bool = False
) -> int:
    """Trains what `recipe` says into the run folder `out` (without it `runs/NAME-HASH`) and returns the exit code.

    from_: the folder with the source files, and with datasets that `build` wrote. A run that was stopped, at whatever
    step, goes on from its last checkpoint. Under `torchrun` or `accelerate launch` every process calls this.
    Raises UserError for a wrong recipe, an `out` that holds something else or too little memory; MissingError for
    packages, files or a base that are not there.
    """
    from mentalglm import runs
    from mentalglm.train.llm.recipe import read

    from . import data, model

    said: Say = say or _say
    chosen = read(recipe)
    model.needs(chosen)
    inputs = data.inputs(chosen, from_) | model.inputs(chosen.base)
    from .world import World

    world = World()
    with model.quiet():
        if not world.first:
            folder, done = world.share(None)
            if not done:
                _train(chosen, from_, Path(folder), world, lambda line: None)
            return 0
        with runs.start(chosen.name, chosen.model_dump(mode="json"), inputs, out=out, overwrite=overwrite) as run:
            world.share((str(run.folder), run.done))
            if run.done:
                said(f"{run.folder} holds this very run, finished")
                return 0
            facts = _train(chosen, from_, run.folder, world, said)
            run.counts.update({s["name"]: s["rows"] | {"steps": s["steps"], "tokens": s["tokens"]} for s in facts})
    said(f"done: the model is {run.folder / MODEL}; its losses are in {run.folder}")
    return 0


def _train(recipe: Recipe, from_: Path | None, folder: Path, world: World, say: Say) -> list[dict[str, Any]]:
    """All stages and the result; gives the facts of each stage."""
    from mentalglm import runs

    from . import data, save

    journal = folder / runs.JOURNAL
    card = folder / MODEL / save.CARD
    if card.is_file() and all((folder / s.name / "loss.png").is_file() for s in recipe.stages):
        facts = json.loads(card.read_text(encoding="utf-8"))["stages"]  # stopped between the result and the manifest
    else:
        facts = _stages(recipe, data.load(recipe, from_), folder, journal, world, say)
    world.wait()
    if world.first:
        for path in (p for p in journal.glob("*") if p.is_dir()):
            shutil.rmtree(path)
    return facts


def _stages(
    recipe: Recipe, rows: list[StageData], folder: Path, journal: Path, world: World, say: Say
) -> list[dict[str, Any]]:
    from . import adapters, model, save, stage, template
    from .adapters import Start
    from .encode import Encoder

    dtype = model.dtype_of(recipe.fit.dtype)
    texts = (t for d in rows for m in d.train for r in m.rows for t in (r.user, r.answer))
    if not world.first:
        world.wait()
    tokenizer = model.tokenizer_of(recipe.base, texts, journal / "tokenizer")
    if world.first:
        world.wait()
    encoder = Encoder(tokenizer, template.choose(recipe.base.template, tokenizer))
    agrees = template.agrees(encoder.template, tokenizer)
    if agrees is False:
        say(f"note: the base's own chat template differs from {encoder.template.name}, which is used throughout")
    start = last = Start(recipe.base)
    facts: list[dict[str, Any]] = []
    result = journal
    for number, (part, of) in enumerate(zip(rows, recipe.stages, strict=True), 1):
        work = journal / f"{number}-{of.name}"
        work.mkdir(parents=True, exist_ok=True)
        last = start
        job = stage.Job(recipe, of, number, part, encoder, start, work, folder / of.name, dtype, world, say)
        facts.append(stage.run(job))
        result, whole = job.result, None
        ends = number == len(rows)
        if of.tune != "full" and (recipe.policy == "merge_then_new" or (ends and recipe.save == "merged")):
            whole = work / "merged"
            if world.first and not whole.is_dir():
                say(f"stage {of.name}: its adapter goes into the weights")
                save.merged(last, [*last.frozen, (of.name, result)], tokenizer, dtype, recipe.seed, whole)
            world.wait()
        start = adapters.after(start, of.name, of.tune, recipe.policy, result, whole)
        weights = whole if whole else result if of.tune == "full" else None
    if world.first:
        told = {
            "base_revision": _revision(recipe),
            "template_agrees": agrees,
            "tasks": sorted({t for d in rows for t in d.counts["tasks"]}),
            "stages": facts,
        }
        save.finish(recipe, encoder, last, result, weights, told, folder / MODEL)
    return facts


def _revision(recipe: Recipe) -> str | None:
    """The commit of a base from a hub."""
    if recipe.base.hub is None:
        return None
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(recipe.base.hub, revision=recipe.base.revision)
    return getattr(config, "_commit_hash", None) or recipe.base.revision


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
