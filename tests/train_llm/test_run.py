"""Both stages from a recipe to a model that loads: the run folder, the checks, and what a person is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mentalglm import runs
from mentalglm.errors import MissingError, UserError
from mentalglm.train import llm

from . import small


@pytest.fixture(autouse=True, scope="module")
def _libraries() -> None:
    small.needs_training()
    import torch

    torch.set_num_threads(1)


class Run:
    """A whole run in this process, and the lines that it said."""

    def __init__(self, folder: Path) -> None:
        self.recipe, self.out, self.said = small.recipe(folder), folder / "run", list[str]()
        assert llm.command(self.recipe, self.out, say=self.said.append) == 0


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("llm"))


def test_it_writes_a_run_folder_that_verifies(done: Run) -> None:
    assert runs.verify(done.out) == []
    files = {p.relative_to(done.out).as_posix() for p in done.out.rglob("*") if p.is_file()}
    assert {"one/losses.jsonl", "one/loss.png", "two/losses.jsonl", "two/adapter/adapter_model.safetensors"} <= files
    assert {
        f"model/{x}" for x in ("mentalglm.json", "model.safetensors", "tokenizer.json", "chat_template.jinja")
    } <= files
    assert not any("checkpoint" in f or "optimizer" in f for f in files)
    manifest = json.loads((done.out / runs.MANIFEST).read_text(encoding="utf-8"))
    assert manifest["config"]["policy"] == "merge_then_new"
    assert "tiny/imhi/train.jsonl" in manifest["inputs"]
    assert not any("test" in name for name in manifest["inputs"])
    assert manifest["counts"]["two"]["train"] == 10
    assert manifest["counts"]["two"]["replayed"] == 12


def test_it_says_how_far_it_is(done: Run) -> None:
    lines = [x for x in done.said if "tokens/s" in x]
    assert len(lines) >= 4
    assert all(x.endswith(" left") and " · loss " in x and " GiB · " in x for x in lines)
    assert sum("validation loss" in x for x in done.said) >= 6


def test_its_card_says_how_the_model_is_asked(done: Run) -> None:
    from mentalglm.train.llm.template import GLM4

    card = json.loads((done.out / "model" / "mentalglm.json").read_text(encoding="utf-8"))
    assert card["template"] == GLM4.as_dict()
    assert card["stops"][0] == "<|user|>"
    assert card["policy"] == "merge_then_new"
    assert card["weights"] == "merged"
    assert [s["tune"] for s in card["stages"]] == ["full", "lora"]
    assert "suicide_risk" in card["tasks"]
    assert len(card["revision"]) == 12


def test_the_best_checkpoint_is_by_validation(done: Run) -> None:
    card = json.loads((done.out / "model" / "mentalglm.json").read_text(encoding="utf-8"))
    for stage in card["stages"]:
        rows = [x for x in small.losses(done.out) if "eval_loss" in x]
        assert stage["validation_loss"] in [x["eval_loss"] for x in rows if x["step"] == stage["best_step"]]


def test_a_later_check_that_is_worse_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mentalglm.train.llm import trainer

    weights: list[dict[int, Any]] = []

    def evaluate(self: Any, *_: Any, **__: Any) -> dict[str, float]:
        if self.state.global_step == self.args.eval_steps:
            weights.append({})
        weights[-1][self.state.global_step] = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        metrics = {"eval_loss": 1.0 if len(weights[-1]) == 2 else 2.0}
        self.log(dict(metrics))
        return metrics

    monkeypatch.setattr(trainer.StageTrainer, "evaluate", evaluate)
    out = tmp_path / "run"
    assert llm.command(small.recipe(tmp_path), out, say=lambda line: None) == 0
    card = json.loads((out / "model" / "mentalglm.json").read_text(encoding="utf-8"))
    steps = sorted(weights[1])
    assert card["stages"][1]["best_step"] == steps[1] != card["stages"][1]["steps"]
    from safetensors.torch import load_file

    kept = load_file(out / "two" / "adapter" / "adapter_model.safetensors")
    named = {n.replace(".default.", "."): p for n, p in weights[1][steps[1]].items()}
    assert all((kept[n] == named[n]).all() for n in kept)


def test_a_finished_run_is_not_done_again(done: Run) -> None:
    said: list[str] = []
    assert llm.command(done.recipe, done.out, say=said.append) == 0
    assert said == [f"{done.out} holds this very run, finished"]


def test_the_model_loads_and_answers_as_the_trained_one(done: Run) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mentalglm.train.llm.encode import Encoder
    from mentalglm.train.llm.generate import answers
    from mentalglm.train.llm.template import GLM4, agrees

    tokenizer = AutoTokenizer.from_pretrained(done.out / "model")
    model = AutoModelForCausalLM.from_pretrained(done.out / "model")
    encoder = Encoder(tokenizer, GLM4)
    assert agrees(GLM4, tokenizer)
    assert model.generation_config.eos_token_id == encoder.ends
    assert model.generation_config.do_sample is False
    said = answers(model, encoder, ["甲", "乙乙"], limit=5)
    assert [s.text for s in said] == [answers(model, encoder, [u], limit=5)[0].text for u in ("甲", "乙乙")]
    # merged into the weights or beside them, the adapter says the same
    import torch
    from safetensors.torch import load_file

    delta = load_file(done.out / "two" / "adapter" / "adapter_model.safetensors")
    assert any(n.endswith("lora_B.weight") and bool((w != 0).any()) for n, w in delta.items())
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_a_change_of_recipe_is_another_run(done: Run, tmp_path: Path) -> None:
    other = small.recipe(tmp_path, replay=0.3)
    with pytest.raises(UserError, match="holds another run"):
        llm.command(other, done.out, say=lambda line: None)


# --- other ways to run it


def test_an_adapter_over_a_folder_is_saved_as_one(done: Run, tmp_path: Path) -> None:
    """On the model of another run as its base; padded groups, and activations computed again instead of kept."""
    from peft import AutoPeftModelForCausalLM

    base = done.out / "model"
    path = small.recipe(tmp_path, "stack", "lora", packing="group", base=f'[base]\npath = "{base}"')
    text = path.read_text(encoding="utf-8").replace('save = "merged"', 'save = "adapter"')
    path.write_text(text.replace("tokens = 512", "tokens = 512\ncheckpointing = true"), encoding="utf-8")
    out = tmp_path / "run"
    assert llm.command(path, out, say=lambda line: None) == 0
    card = json.loads((out / "model" / "mentalglm.json").read_text(encoding="utf-8"))
    assert card["adapters"] == ["one", "two"]
    assert card["weights"] == "adapter"
    assert card["template"]["name"] == "glm4"  # found by the base's own chat template
    assert card["template_agrees_with_base"] is True
    assert not (out / "model" / "model.safetensors").exists()
    loaded = AutoPeftModelForCausalLM.from_pretrained(out / "model" / "two")
    assert loaded.peft_config["default"].base_model_name_or_path == str(base)
    manifest = json.loads((out / runs.MANIFEST).read_text(encoding="utf-8"))
    assert "base/model.safetensors" in manifest["inputs"]
    assert runs.verify(out) == []


def test_groups_and_packs_learn_alike(done: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert llm.command(small.recipe(tmp_path, packing="group"), out, say=lambda line: None) == 0
    last = [[x["eval_loss"] for x in small.losses(o) if "eval_loss" in x][-1] for o in (done.out, out)]
    assert last[1] == pytest.approx(last[0], rel=0.15)


# --- too little of something


def test_out_of_memory_names_the_setting_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from mentalglm.train.llm import trainer

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(trainer.StageTrainer, "training_step", full)
    with pytest.raises(UserError, match=r"out of memory in stage one .*set fit.checkpointing = true"):
        llm.command(small.recipe(tmp_path), tmp_path / "run", say=lambda line: None)


def test_what_helps_next_where_memory_is_short() -> None:
    from mentalglm.train.llm import memory
    from mentalglm.train.llm.recipe import Base, Fit, Recipe, SourcePart, Stage

    def said(tune: Any, tokens: int, longest: int) -> str:
        stage = Stage(name="s", sources=[SourcePart(shipped="tiny/imhi")], tune=tune, batch=8)
        fit = Fit(checkpointing=True, tokens=tokens)
        return memory.advice(
            Recipe(kind="llm", name="x", base=Base(hub="a/b"), fit=fit, stages=[stage]), stage, longest
        )

    assert "fit.tokens = 1024 and s's batch = 16" in said("full", 2048, 900)
    assert 'tune = "lora"' in said("full", 2048, 1500)
    assert 'tune = "qlora"' in said("lora", 2048, 1500)
    assert "smaller base" in said("qlora", 2048, 1500)


def test_other_errors_are_not_taken_for_memory() -> None:
    from mentalglm.train.llm import memory

    with pytest.raises(RuntimeError, match="shape"), memory.watched(None, None, 1):  # type: ignore[arg-type]
        raise RuntimeError("shape mismatch")


def test_qlora_says_that_bitsandbytes_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mentalglm.train.llm import model

    real = model.find_spec
    monkeypatch.setattr(model, "find_spec", lambda name: None if name == "bitsandbytes" else real(name))
    path = small.recipe(tmp_path, tune="qlora")
    with pytest.raises(MissingError, match=r"qlora needs bitsandbytes.*pip install bitsandbytes, or set tune"):
        llm.command(path, tmp_path / "run", say=lambda line: None)
    assert not (tmp_path / "run").exists()


def test_a_base_that_is_not_there(tmp_path: Path) -> None:
    path = small.recipe(tmp_path, base='[base]\npath = "nowhere"\ntemplate = "glm4"')
    with pytest.raises(MissingError, match="no folder nowhere"):
        llm.command(path, tmp_path / "run", say=lambda line: None)
    (tmp_path / "empty").mkdir()
    path = small.recipe(tmp_path, base=f'[base]\npath = "{tmp_path / "empty"}"\ntemplate = "glm4"')
    with pytest.raises(MissingError, match="holds no model"):
        llm.command(path, tmp_path / "run", say=lambda line: None)


def test_a_batch_that_devices_cannot_share(tmp_path: Path) -> None:
    from mentalglm.train.llm import trainer
    from mentalglm.train.llm.recipe import read

    recipe = read(small.recipe(tmp_path))
    with pytest.raises(UserError, match="a batch of 2 is not to be shared by 3 devices"):
        trainer.arguments(recipe, recipe.stages[0], tmp_path, 10, "float32", 3)
