"""A model overfitted on ten examples says each answer, word for word, and stops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mentalglm import tasks
from mentalglm.tasks import answer
from mentalglm.train import llm

from . import small

RECIPE = """\
kind = "llm"
name = "ten"
[base]
template = "glm4"
[base.new]
hidden = 96
layers = 2
heads = 4
kv_heads = 2
ffn = 192
[fit]
tokens = 1024
[[stages]]
name = "all"
tune = "full"
sources = [{{ dataset = "{folder}" }}]
epochs = 110
rate = 3e-3
batch = 1
checks = 1
"""


def shipped(*names: str) -> list[dict[str, Any]]:
    from mentalglm.train.llm.data import SHIPPED

    text = (SHIPPED / "tiny" / "c_imhi" / "train.jsonl").read_text(encoding="utf-8")
    return [r for r in map(json.loads, text.splitlines()) if r["task"] in names]


def train(folder: Path, rows: list[dict[str, Any]], recipe: str = RECIPE) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mentalglm.train.llm.encode import Encoder
    from mentalglm.train.llm.template import GLM4

    for split in ("train", "validation"):
        kept = rows if split == "train" else [r | {"key": "k", "split": "validation"} for r in rows[:1]]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept), encoding="utf-8")
    path = folder / "ten.toml"
    path.write_text(recipe.format(folder=folder), encoding="utf-8")
    out = folder / "run"
    assert llm.command(path, out, say=lambda line: None) == 0
    model = AutoModelForCausalLM.from_pretrained(out / "model")
    return model, Encoder(AutoTokenizer.from_pretrained(out / "model"), GLM4)


def learned(folder: Path, rows: list[dict[str, Any]], recipe: str = RECIPE) -> None:
    """Every answer word for word, parsed, its quotes in the post, and stopped."""
    small.needs_training()
    import torch

    from mentalglm.train.llm.generate import answers

    torch.set_num_threads(1)
    model, encoder = train(folder, rows, recipe)
    asked = [answer.render(tasks.load(r["task"]), r["text"]) for r in rows]
    said = answers(model, encoder, asked, limit=250)
    assert all(s.stopped for s in said)
    assert [s.text for s in said] == [r["messages"][1]["content"] for r in rows]
    read = [answer.parse(tasks.load(r["task"]), s.text, r["text"]) for s, r in zip(said, rows, strict=True)]
    assert [list(a.labels) for a in read] == [r["labels"] for r in rows]
    assert not any(a.dropped_quotes for a in read)


def test_it_learns_ten_answers_and_to_stop(tmp_path: Path) -> None:
    learned(tmp_path, shipped("suicide_risk")[:10])


@pytest.mark.slow
def test_it_learns_thirty_two_answers_of_two_tasks(tmp_path: Path) -> None:
    rows = [*shipped("suicide_risk")[:16], *shipped("cognitive_distortion")[:16]]
    learned(tmp_path, rows, RECIPE.replace("hidden = 96", "hidden = 128").replace("ffn = 192", "ffn = 320"))
