"""What stage 2 does with the adapter of stage 1: the policy, which "two-stage LoRA" leaves open.

`continue`: the same adapter is trained further. `merge_then_new`: it is merged into the weights, and a new one starts from
nothing. `stack`: it stays as it is, frozen and at work, and a second one is trained on top.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .recipe import Base, Lora, Policy, Tune

TRAINED = "default"  # the adapter that a stage trains; frozen ones are called by their stage


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stage starts: the weights, adapters that are frozen over them (name, folder), and one to go on with."""

    weights: Base | Path
    frozen: tuple[tuple[str, Path], ...] = ()
    goes_on: Path | None = None


def after(start: Start, stage: str, tune: Tune, policy: Policy, result: Path, merged: Path | None) -> Start:
    """Where the next stage starts. result: the folder of what this stage trained (an adapter, or weights); merged: the
    weights with this stage's adapter in them, which merge_then_new wrote."""
    if tune == "full":
        return Start(result)
    if policy == "merge_then_new":
        assert merged is not None
        return Start(merged)
    if policy == "continue":
        return replace(start, goes_on=result)
    return replace(start, frozen=(*start.frozen, (stage, result)))


def attach(model: Any, start: Start, tune: Tune, lora: Lora, seed: int) -> Any:
    """`model` with the adapters of a stage: those of `start.frozen` at work but not trained, and the one that is."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training

    if tune == "full":
        return model
    if tune == "qlora":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    torch.manual_seed(seed)
    if start.goes_on is not None:
        return PeftModel.from_pretrained(model, start.goes_on, adapter_name=TRAINED, is_trainable=True)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        modules_to_save=list(lora.save) or None,
        use_rslora=lora.rslora,
        task_type="CAUSAL_LM",
    )  # type: ignore[arg-type]
    model = get_peft_model(model, config, adapter_name=TRAINED)
    for name, folder in start.frozen:
        model.load_adapter(folder, adapter_name=name, is_trainable=False)
    _at_work(model, [name for name, _ in start.frozen])
    return model


def merge(model: Any, folders: list[tuple[str, Path]]) -> Any:
    """`model`, full weights, with these adapters merged into them, in order."""
    from peft import PeftModel

    for name, folder in folders:
        model = PeftModel.from_pretrained(model, folder, adapter_name=name).merge_and_unload()
    return model


def keep(checkpoint: Path, folder: Path, base: str) -> None:
    """Copies the adapter of a checkpoint into `folder`. base: the hub id or folder that its configuration names; sets are
    written in order, so that equal runs give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((checkpoint / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    text = json.dumps(config, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    shutil.copy2(checkpoint / "adapter_model.safetensors", folder / "adapter_model.safetensors")


def _at_work(model: Any, frozen: list[str]) -> None:
    """The frozen adapters and the trained one act together; only the trained one learns."""
    if not frozen:
        return
    model.base_model.set_adapter([*frozen, TRAINED])
    for name, parameter in model.named_parameters():
        if any(f".{f}." in name or name.endswith(f".{f}") for f in frozen):
            parameter.requires_grad_(False)
