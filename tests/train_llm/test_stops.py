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


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    from mentalglm.train.llm.data import SHIPPED

    text = (SHIPPED / "tiny" / "c_imhi" / "train.jsonl").read_text(encoding="utf-8")
    return [r for r in map(json.loads, text.splitlines()) if r["task"] == "suicide_risk"][:10]


def train(folder: Path, rows: list[dict[str, Any]]) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mentalglm.train.llm.encode import Encoder
    from mentalglm.train.llm.template import GLM4

    for split in ("train", "validation"):
        kept = rows if split == "train" else [r | {"key": "k", "split": "validation"} for r in rows[:1]]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept), encoding="utf-8")
    path = folder / "ten.toml"
    path.write_text(RECIPE.format(folder=folder), encoding="utf-8")
    out = folder / "run"
    assert llm.command(path, out, say=lambda line: None) == 0
    model = AutoModelForCausalLM.from_pretrained(out / "model")
    return model, Encoder(AutoTokenizer.from_pretrained(out / "model"), GLM4)


def test_it_learns_ten_answers_and_to_stop(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    small.needs_training()
    import torch

    from mentalglm.train.llm.generate import answers

    torch.set_num_threads(1)
    model, encoder = train(tmp_path, rows)
    task = tasks.load("suicide_risk")
    said = answers(model, encoder, [answer.render(task, r["text"]) for r in rows], limit=200)
    assert all(s.stopped for s in said)
    assert [s.text for s in said] == [r["messages"][1]["content"] for r in rows]
    read = [answer.parse(task, s.text, r["text"]) for s, r in zip(said, rows, strict=True)]
    assert [list(a.labels) for a in read] == [r["labels"] for r in rows]
    assert not any(a.dropped_quotes for a in read)
