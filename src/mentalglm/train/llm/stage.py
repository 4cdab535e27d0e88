"""One stage of a run: from where it starts to the weights with the lowest validation loss."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import adapters, checkpoints, memory, packing, progress
from .adapters import Start
from .data import Row, StageData
from .encode import Encoder, Example
from .model import attention_of, load
from .recipe import Recipe, Stage
from .world import World

Say = Callable[[str], None]
DONE = "done.json"


@dataclass(slots=True)
class Job:
    """A stage and what it needs. work: its checkpoints and `result`; folder: its losses and plot, which stay."""

    recipe: Recipe
    stage: Stage
    number: int
    data: StageData
    encoder: Encoder
    start: Start
    work: Path
    folder: Path
    dtype: str
    world: World
    say: Say

    @property
    def result(self) -> Path:
        """The adapter, or the weights, that the stage trained."""
        return self.work / "result"


def run(job: Job) -> dict[str, Any]:
    """Trains the stage, or goes on with it, and gives the facts of it. Finished before: only these."""
    if (job.work / DONE).is_file():
        return json.loads((job.work / DONE).read_text(encoding="utf-8"))
    train, too_long = encode(job.encoder, [r for m in job.data.train for r in m.rows], job.recipe.fit.tokens)
    replay, _ = encode(job.encoder, [r for m in job.data.replay for r in m.rows], job.recipe.fit.tokens)
    checked, _ = encode(job.encoder, job.data.validation, job.recipe.fit.tokens)
    examples = [*train.values(), *replay.values()]
    place = {key: k for k, key in enumerate([*train, *replay])}
    mixes = _mixes(job, place)
    fit = job.recipe.fit
    lengths = [len(e.ids) for e in examples]
    seed = job.recipe.seed + job.number
    plan = packing.plan(lengths, mixes, fit.tokens, job.stage.batch, job.stage.epochs, seed, fit.packing)
    held = [len(e.ids) for e in checked.values()]
    checks = packing.one_epoch(held, [packing.Mix(list(range(len(held))), 1)], fit.tokens, 0, 0, fit.packing)
    facts = _fit(job, examples, plan, list(checked.values()), checks)
    replayed = sum(len(m.indices) for m in mixes[len(job.data.train) :])
    facts |= {
        "name": job.stage.name,
        "tune": job.stage.tune,
        "steps": len(plan) // job.stage.batch,
        "rows": job.data.counts | {"too_long": too_long, "replayed": replayed},
        "tokens": sum(lengths[i] for pack in plan for i in pack),
        "answer_tokens": sum(len(examples[i].ids) - examples[i].answer for pack in plan for i in pack),
    }
    if job.world.first:
        (job.work / DONE).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    job.world.wait()
    return facts


def encode(encoder: Encoder, rows: list[Row], longest: int) -> tuple[dict[str, Example], int]:
    """Examples by id and place, those of at most `longest` tokens, and how many are longer: a cut answer has no stop."""
    made = {f"{r.id}/{k}": encoder.example(r.user, r.answer) for k, r in enumerate(rows)}
    kept = {key: e for key, e in made.items() if len(e.ids) <= longest}
    return kept, len(made) - len(kept)


def _mixes(job: Job, place: dict[str, int]) -> list[packing.Mix]:
    """The sources of the stage, and those of earlier ones to be replayed, over the examples that are short enough."""
    mixes: list[packing.Mix] = []
    for parts in (job.data.train, job.data.replay):
        at = 0
        for m in parts:
            keys = [f"{r.id}/{at + k}" for k, r in enumerate(m.rows)]
            at += len(m.rows)
            mixes.append(packing.Mix([place[key] for key in keys if key in place], m.weight))
    own, replay = mixes[: len(job.data.train)], mixes[len(job.data.train) :]
    wanted = job.stage.replay * sum(len(m.indices) * m.weight for m in own)
    there = sum(len(m.indices) * m.weight for m in replay)
    return own + [packing.Mix(m.indices, m.weight * wanted / there) for m in replay if there]


def _fit(
    job: Job, examples: list[Example], plan: list[list[int]], checked: list[Example], checks: list[list[int]]
) -> dict[str, Any]:
    """Runs the Trainer and keeps the best checkpoint's weights as the stage's result."""
    from transformers import PrinterCallback

    from . import trainer as ours

    recipe, stage, tokenizer = job.recipe, job.stage, job.encoder.tokenizer
    model = load(job.start.weights, tokenizer, stage.tune, job.dtype, recipe.seed)
    model.set_attn_implementation(attention_of(recipe.fit.attention, recipe.fit.packing))
    model.config.use_cache = False
    model = adapters.attach(model, job.start, stage.tune, stage.lora, recipe.seed + job.number)
    every = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else job.encoder.ends[-1]
    steps = len(plan) // stage.batch
    args = ours.arguments(recipe, stage, job.work, steps, job.dtype, job.world.size)
    job.say(
        f"stage {stage.name}: {stage.tune}, {trained:,} of {every:,} parameters, {len(examples):,} examples in "
        f"{len(plan):,} micro-batches, {steps:,} steps"
    ) if job.world.first else None
    trainer = ours.StageTrainer(
        model=model,
        args=args,
        train_dataset=ours.Batches(examples, plan, recipe.fit.packing, pad),
        eval_dataset=ours.Batches(checked, checks, recipe.fit.packing, pad),
        data_collator=_only,
    )
    trainer.remove_callback(PrinterCallback)
    flops = (2 * trained if stage.tune == "full" else 0) + 4 * every
    shown = progress.Progress(stage.name, job.folder, job.say, lambda: trainer.tokens, flops, job.world.size)
    for callback in (ours.Ends(), shown):
        trainer.add_callback(callback)
    last = checkpoints.last(job.work, job.world.size) if job.world.first else None
    last = job.world.share(last)
    began, longest = time.monotonic(), max(len(e.ids) for e in examples)
    with memory.watched(recipe, stage, longest):
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    job.world.wait()
    best = trainer.state.best_global_step or trainer.state.global_step
    if job.world.first:
        progress.write(job.folder, trainer.state.log_history)
        progress.draw(job.folder, f"{recipe.name}: stage {job.number}, {stage.name}", best)
        _keep(job, checkpoints.best(job.work, job.world.size))
        speed = {"stage": stage.name, "seconds": round(time.monotonic() - began, 1), "tokens": trainer.tokens,
                 "gib": round(memory.used(), 2), "devices": job.world.size}  # fmt: skip
        with (job.work.parent / "speed.jsonl").open("a", encoding="utf-8") as f:
            f.write(json.dumps(speed) + "\n")
    return {
        "best_step": best,
        "validation_loss": trainer.state.best_metric,
        "parameters": every,
        "trained_parameters": trained,
    }


def _keep(job: Job, checkpoint: Path) -> None:
    """Copies the weights of the best checkpoint to `result`, and an adapter to the stage's folder, where it stays."""
    shutil.rmtree(job.result, ignore_errors=True)
    if job.stage.tune == "full":
        job.result.mkdir()
        for path in (*checkpoint.glob("*.safetensors*"), checkpoint / "config.json"):
            shutil.copy2(path, job.result / path.name)
        return
    base = job.recipe.base
    for folder in (job.result, job.folder / "adapter"):
        adapters.keep(checkpoint, folder, base.hub or base.path or "")


def _only(items: list[Any]) -> Any:
    """The one micro-batch that the data loader hands on."""
    return items[0]
