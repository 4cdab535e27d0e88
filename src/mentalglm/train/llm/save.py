"""The result of a run: a folder with weights or adapters, tokenizer, chat template, and `mentalglm.json`, which says how
the model is asked. `mentalglm analyze --model DIR` needs nothing else, but for an adapter's base.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from mentalglm import runs

from . import adapters
from .adapters import Start
from .encode import Encoder
from .model import load
from .recipe import Base, Recipe

CARD = "mentalglm.json"
LIMIT = 1000  # tokens of an answer


def merged(start: Start, trained: list[tuple[str, Path]], tokenizer: Any, dtype: str, seed: int, out: Path) -> None:
    """Writes the weights of `start` with adapters merged into them, in the base's own type; whole, or not at all."""
    import torch

    model = load(start.weights, tokenizer, "lora", dtype, seed)
    model = adapters.merge(model, trained)
    if not isinstance(start.weights, Base) or start.weights.new is None:
        model = model.to(getattr(torch, dtype))
    model.config.use_cache = True
    write_whole(out, lambda folder: model.save_pretrained(folder))


def finish(
    recipe: Recipe, encoder: Encoder, start: Start, result: Path, weights: Path | None, facts: dict[str, Any], out: Path
) -> None:
    """Writes `out`. result: what the last stage trained; weights: full ones of the whole run, where there are any."""
    last = recipe.stages[-1]

    def put(folder: Path) -> None:
        if weights is not None:
            shutil.copytree(weights, folder, dirs_exist_ok=True)
        else:
            names = [*start.frozen, (last.name, result)]
            for name, source in names if len(names) > 1 else [("", result)]:
                shutil.copytree(source, folder / name, dirs_exist_ok=True)
        for name in ("training_args.bin", "optimizer.pt", "scheduler.pt"):
            (folder / name).unlink(missing_ok=True)
        tokenizer = encoder.tokenizer
        tokenizer.chat_template = encoder.template.jinja
        tokenizer.save_pretrained(folder)
        generation = {"do_sample": False, "max_new_tokens": LIMIT, "eos_token_id": encoder.ends,
                      "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
        _json(folder / "generation_config.json", generation)
        _json(folder / CARD, card(recipe, encoder, start, folder, weights is not None, facts))

    write_whole(out, put)


def card(
    recipe: Recipe, encoder: Encoder, start: Start, folder: Path, is_merged: bool, facts: dict[str, Any]
) -> dict[str, Any]:
    """What `mentalglm.json` says. `revision`: twelve hex digits of all files; `answer`: the form of the answers."""
    hashes = {p.relative_to(folder).as_posix(): runs.file_hash(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    base = recipe.base.model_dump(mode="json", exclude_none=True) | {"revision": facts["base_revision"]}
    return {
        "format": 1,
        "kind": "llm",
        "name": recipe.name,
        "revision": runs.run_hash(recipe.name, {}, hashes),
        "weights": "merged" if is_merged else "adapter",
        "adapters": []
        if is_merged
        else [n for n, _ in start.frozen] + ([recipe.stages[-1].name] if start.frozen else [""]),
        "base": base,
        "policy": recipe.policy,
        "template": encoder.template.as_dict(),
        "template_agrees_with_base": facts["template_agrees"],
        "stops": [encoder.tokenizer.convert_ids_to_tokens(i) for i in encoder.ends],
        "tasks": facts["tasks"],
        "answer": recipe.stages[-1].answer,
        "max_new_tokens": LIMIT,
        "stages": facts["stages"],
    }


def write_whole(out: Path, put: Any) -> None:
    """Fills a folder beside `out` and moves it there, so that `out` is whole or not there."""
    temporary = out.with_name(out.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    put(temporary)
    shutil.rmtree(out, ignore_errors=True)
    os.replace(temporary, out)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
