"""Each adapter policy does what it says: which weights are trained, which stay, and what the next stage starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mentalglm.train.llm import adapters
from mentalglm.train.llm.adapters import Start
from mentalglm.train.llm.recipe import Base, Lora, NewBase, Policy

from . import small

LORA = Lora(rank=4, alpha=8)
BASE = Base(new=NewBase(hidden=32, layers=1, heads=2, kv_heads=1, ffn=64), template="glm4")


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> None:
    small.needs_training()


def base() -> Any:
    from mentalglm.train.llm.model import load

    return load(BASE, small.tokenizer(), "lora", "float32", 0)


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.arange(300, 312)[None]).logits


def step(model: Any, at: int) -> None:
    """One step of a stage on something."""
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=2.0)
    for _ in range(2):  # LoRA's A learns only once B is not nought
        ids = torch.arange(300 + at, 312 + at)[None]
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def weights(model: Any, adapter: str) -> dict[str, Any]:
    return {n: p.detach().clone() for n, p in model.named_parameters() if f".{adapter}." in n}


def stage(start: Start, at: int, folder: Path, lora: Lora = LORA) -> tuple[Any, Path]:
    """A stage from `start`: the model after it, and the folder with what it trained."""
    model = base() if isinstance(start.weights, Base) else reload(start.weights)
    model = adapters.attach(model, start, "lora", lora, at)
    step(model, at)
    model.save_pretrained(folder / f"checkpoint-{at}", selected_adapters=[adapters.TRAINED])
    adapters.keep(folder / f"checkpoint-{at}", folder / f"result-{at}", "")
    return model, folder / f"result-{at}"


def reload(folder: Path) -> Any:
    from mentalglm.train.llm.model import load

    return load(folder, small.tokenizer(), "lora", "float32", 0)


def two(policy: Policy, folder: Path, lora: Lora = LORA) -> tuple[Any, Any, Any, Start]:
    """The logits after stage 1; the model at the start of stage 2 and a second one after it; where stage 2 started."""
    first, result = stage(Start(BASE), 1, folder, lora)
    after_one = logits(first.eval())
    merged = None
    if policy == "merge_then_new":
        merged = folder / "merged"
        adapters.merge(base(), [("one", result)]).save_pretrained(merged)
    start = adapters.after(Start(BASE), "one", "lora", policy, result, merged)
    again = base() if isinstance(start.weights, Base) else reload(start.weights)
    fresh = adapters.attach(again, start, "lora", lora, 2)
    return after_one, fresh, stage(start, 2, folder, lora)[0], start


@pytest.mark.parametrize("policy", ["continue", "merge_then_new", "stack"])
def test_stage_2_starts_where_stage_1_ended(policy: Policy, tmp_path: Path) -> None:
    import torch

    after_one, fresh, trained, _ = two(policy, tmp_path)
    assert torch.allclose(logits(fresh.eval()), after_one, atol=1e-5)
    assert not torch.allclose(logits(base().eval()), after_one, atol=1e-2)
    assert not torch.allclose(logits(trained.eval()), after_one, atol=1e-2)


def test_continue_trains_the_same_adapter(tmp_path: Path) -> None:
    from peft import load_peft_weights

    _, fresh, trained, start = two("continue", tmp_path)
    assert start == Start(BASE, goes_on=tmp_path / "result-1")
    assert list(trained.peft_config) == ["default"]
    of_one = load_peft_weights(str(tmp_path / "result-1"), device="cpu")
    began = {n.replace(".default", ""): p for n, p in weights(fresh, "default").items()}
    assert set(began) == set(of_one)
    assert all((began[n] == of_one[n]).all() for n in of_one)
    moved = {n.replace(".default", ""): p for n, p in weights(trained, "default").items()}
    assert any((moved[n] != of_one[n]).any() for n in of_one)


def test_merge_then_new_changes_the_weights_and_starts_from_nothing(tmp_path: Path) -> None:
    import torch
    from peft import load_peft_weights

    _, fresh, trained, start = two("merge_then_new", tmp_path)
    assert start == Start(tmp_path / "merged")
    assert list(trained.peft_config) == ["default"]
    assert all((p == 0).all() for n, p in weights(fresh, "default").items() if "lora_B" in n)
    one = load_peft_weights(str(tmp_path / "result-1"), device="cpu")
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    before = base().model.layers[0].self_attn.q_proj.weight
    now = fresh.base_model.model.model.layers[0].self_attn.q_proj.base_layer.weight
    delta = one[f"{name}.lora_B.weight"] @ one[f"{name}.lora_A.weight"] * (LORA.alpha / LORA.rank)
    assert torch.allclose(now, before + delta, atol=1e-6)
    assert delta.abs().max() > 1e-4


def test_stack_keeps_the_first_and_trains_a_second(tmp_path: Path) -> None:
    import torch
    from peft import load_peft_weights

    _, fresh, trained, start = two("stack", tmp_path)
    assert start == Start(BASE, frozen=(("one", tmp_path / "result-1"),))
    of_one = load_peft_weights(str(tmp_path / "result-1"), device="cpu")
    for model in (fresh, trained):
        kept = {n.replace(".one", ""): p for n, p in weights(model, "one").items()}
        assert set(kept) == set(of_one)
        assert all((kept[n] == of_one[n]).all() for n in of_one)
    learning = {n for n, p in trained.named_parameters() if p.requires_grad}
    assert learning
    assert all(".default." in n for n in learning)
    assert any((p != 0).any() for n, p in weights(trained, "default").items() if "lora_B" in n)
    # The result, both merged in order, is what both say together.
    folders = [*start.frozen, ("two", tmp_path / "result-2")]
    assert torch.allclose(logits(adapters.merge(base(), folders)), logits(trained.eval()), atol=1e-5)


def test_embeddings_and_head_are_trained_and_saved_where_asked(tmp_path: Path) -> None:
    import torch

    lora = Lora(rank=4, save=["embed_tokens", "lm_head"])
    model, result = stage(Start(BASE), 1, tmp_path, lora)
    learning = {n for n, p in model.named_parameters() if p.requires_grad}
    assert any("embed_tokens" in n for n in learning)
    assert any("lm_head" in n for n in learning)
    merged = adapters.merge(base(), [("one", result)])
    assert torch.allclose(logits(merged), logits(model.eval()), atol=1e-5)
    assert not torch.equal(merged.lm_head.weight, base().lm_head.weight)


@pytest.mark.parametrize("policy", ["continue", "stack"])
def test_a_whole_run_under_the_policy(policy: Policy, tmp_path: Path) -> None:
    import json

    import torch
    from transformers import AutoModelForCausalLM

    from mentalglm.train import llm

    torch.set_num_threads(1)
    out = tmp_path / "run"
    assert llm.command(small.recipe(tmp_path, policy, "lora"), out, say=lambda line: None) == 0
    card = json.loads((out / "model" / "mentalglm.json").read_text(encoding="utf-8"))
    assert card["policy"] == policy
    saved = AutoModelForCausalLM.from_pretrained(out / "model")
    start = Start(BASE, frozen=(("one", out / "one" / "adapter"),)) if policy == "stack" else Start(BASE)
    from mentalglm.train.llm.model import load, tokenizer_of
    from mentalglm.train.llm.recipe import read

    recipe = read(small.recipe(tmp_path, policy, "lora"))
    tokenizer = tokenizer_of(Base(path=str(out / "model"), template="glm4"), [], out)
    fresh = load(recipe.base, tokenizer, "lora", "float32", recipe.seed)
    merged = adapters.merge(fresh, [*start.frozen, ("two", out / "two" / "adapter")])
    assert torch.allclose(logits(saved), logits(merged), atol=1e-5)
