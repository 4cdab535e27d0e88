"""Training one stage, on transformers' Trainer: it has checkpoints, several devices, FSDP and DeepSpeed, well tested.

Ours are the order of the micro-batches (planned beforehand), the loss (on answer and stop alone, and logits for no other
place) and the check (a mean over all answer tokens, not over batches). TRL's SFTTrainer would tokenize again, from the
text, where role markers in a post become role tokens; and its packing without attention across examples needs a GPU.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainingArguments

from mentalglm.errors import UserError

from . import adapters, attention, packing
from .encode import Example
from .recipe import Recipe, Stage


@dataclass(frozen=True)
class Batches(torch.utils.data.Dataset):
    """Micro-batches in the order of the plan, made when they are asked for."""

    examples: Sequence[Example]
    plan: list[list[int]]
    packing: str
    pad: int

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, at: int) -> dict[str, Any]:
        chosen = [self.examples[i] for i in self.plan[at]]
        made = packing.packed(chosen) if self.packing == "pack" else packing.padded(chosen, self.pad)
        return made | {"labels": made["shift_labels"]}  # the Trainer counts the targets by these two


class StageTrainer(Trainer):
    """Trainer whose loss is the sum over answer tokens of all devices, divided by their number."""

    def __init__(self, *args: Any, tasks: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True  # so that it counts the targets of a whole step
        self.loss_is_scaled_for_ga = True
        self.tokens = 0  # that went through in this process since it started
        self.validation_tasks = tasks

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        self.tokens += (
            int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else inputs["input_ids"].numel()
        )
        total, count = nll(model, inputs)
        if num_items_in_batch is None:
            loss = total / count.clamp(min=1)
        else:
            loss = total / num_items_in_batch * self.accelerator.num_processes
        return (loss, {}) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Mean loss over the answer tokens of the validation rows, over all devices."""
        model: Any = self.model_wrapped if self.is_fsdp_enabled or self.is_deepspeed_enabled else self.model
        was = model.training
        model.eval()
        rank, size = self.args.process_index, self.args.world_size
        data: Any = self.eval_dataset
        sums = torch.zeros(2, dtype=torch.float64)
        for step in range(math.ceil(len(data) / size)):
            at = step * size + rank
            inputs = self._prepare_inputs(data[min(at, len(data) - 1)])  # all devices take part in every step
            with torch.no_grad(), self.accelerator.autocast():
                total, count = nll(model, inputs)
            if at < len(data):
                sums += torch.tensor([float(total), float(count)], dtype=torch.float64)
        if size > 1:
            reduced: Any = self.accelerator.reduce(sums.to(self.args.device, torch.float32), "sum")
            sums = reduced.double().cpu()
        model.train(was)
        metrics = {"eval_loss": float(sums[0] / sums[1])}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Of a model with adapters, only the one that is trained: the frozen ones lie where they came from."""
        model: Any = self.model
        if self.args.should_save and hasattr(model, "peft_config"):
            model.save_pretrained(
                output_dir,
                state_dict=state_dict,
                selected_adapters=[adapters.TRAINED],
                save_embedding_layers=False,  # lora.save says which; `auto` asks the hub
            )
        else:
            super()._save(output_dir, state_dict)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        model = model if model is not None else self.model
        if hasattr(model, "peft_config") and not self.is_fsdp_enabled:
            from peft import load_peft_weights, set_peft_model_state_dict

            weights = load_peft_weights(resume_from_checkpoint, device="cpu")
            set_peft_model_state_dict(model, weights, adapter_name=adapters.TRAINED)
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)


def nll(model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The summed negative log-likelihood (nats) of the targets of a micro-batch, and their number. Logits are computed at
    the places that have a target only: a vocabulary of 151,552 makes the others dear."""
    given = {k: v for k, v in inputs.items() if k not in ("labels", "shift_labels", "blocks")}
    labels = inputs["shift_labels"]
    if attention_name(model) == attention.NAME:
        given["blocks"] = inputs["blocks"]
    places = (labels != packing.IGNORED).any(0).nonzero().squeeze(1)
    logits = model(**given, logits_to_keep=places, use_cache=False).logits
    targets = labels[:, places].flatten()
    total = cross_entropy(logits.flatten(0, 1).float(), targets, ignore_index=packing.IGNORED, reduction="sum")
    return total, (targets != packing.IGNORED).sum()


def attention_name(model: Any) -> str:
    while not hasattr(model, "config"):
        model = model.module
    return model.config._attn_implementation


def arguments(recipe: Recipe, stage: Stage, folder: Path, steps: int, dtype: str, world: int) -> TrainingArguments:
    """The Trainer's settings of a stage of `steps` steps, on `world` devices."""
    if stage.batch % world:
        mend = f"set batch to a multiple of {world}, or start fewer processes"
        raise UserError(f"stage {stage.name}: a batch of {stage.batch} is not to be shared by {world} devices", mend)
    every = math.ceil(steps / stage.checks)
    fit = recipe.fit
    cpu = not torch.cuda.is_available()
    os.environ.setdefault("WANDB_PROJECT", "mentalglm")
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=stage.batch // world,
        num_train_epochs=1,  # the plan holds all epochs
        learning_rate=stage.rate,
        lr_scheduler_type=stage.schedule,
        warmup_steps=round(stage.warmup * steps),
        weight_decay=stage.decay,
        max_grad_norm=stage.clip,
        optim="adamw_torch" if cpu else "adamw_torch_fused",
        bf16=dtype == "bfloat16",
        activation_checkpointing=fit.checkpointing and fit.parallel != "fsdp",  # FSDP has its own
        activation_checkpointing_kwargs={"use_reentrant": False} if fit.checkpointing else None,
        torch_compile=fit.compile,
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,  # the last, and the best
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        seed=recipe.seed,
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and world > 1 else None,
        ddp_find_unused_parameters=False if world > 1 else None,
        disable_tqdm=True,
        report_to=list(fit.track) or "none",
        run_name=f"{recipe.name}-{stage.name}",
        **_parallel(recipe, stage),
    )


def _parallel(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """FSDP or DeepSpeed, for models that do not fit one device: start it with `torchrun --nproc-per-node N -m mentalglm
    train …` or `accelerate launch`."""
    kind = recipe.fit.parallel
    if kind != "ddp" and not torch.cuda.is_available():  # accelerate would take DDP in its place, and say nothing
        raise UserError(f"{kind} shares a model out over GPUs, and this machine has none", 'set fit.parallel = "ddp"')
    if kind == "fsdp":
        config = {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "state_dict_type": "FULL_STATE_DICT",
            "activation_checkpointing": recipe.fit.checkpointing,
        }
        return {"fsdp": True, "fsdp_config": config}
    if kind.startswith("zero"):
        auto = "auto"
        return {
            "deepspeed": {
                "zero_optimization": {
                    "stage": int(kind[-1]),
                    "overlap_comm": True,
                    "contiguous_gradients": True,
                    "stage3_gather_16bit_weights_on_model_save": True,
                },
                "bf16": {"enabled": auto},
                "gradient_accumulation_steps": auto,
                "gradient_clipping": stage.clip,
                "train_batch_size": auto,
                "train_micro_batch_size_per_gpu": auto,
            }
        }
    return {}


class Ends(TrainerCallback):
    """The last step is checked and saved too, whatever the interval."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True
        return control
