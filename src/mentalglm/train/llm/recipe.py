"""The recipe of a language model: base, stages, adapter policy. One short TOML; all errors are said at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mentalglm import recipe_file

IMHI_SETS = ("DR", "CLP", "dreaddit", "SWMH", "T-SID", "SAD", "CAMS", "loneliness", "MultiWD", "Irf")
Tune = Literal["full", "lora", "qlora"]
Policy = Literal["continue", "merge_then_new", "stack"]
Form = Literal["reasons_first", "label_only", "labels_first", "labels_twice"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewBase(_Strict):
    """A model with random weights, and a byte-level BPE tokenizer made from the training texts. ffn: the inner width of
    the feed-forward part; vocabulary: at most so many tokens, the role tokens included; length: the longest input."""

    architecture: Literal["glm4", "glm", "qwen3"] = "glm4"
    hidden: int = Field(default=96, ge=16)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    kv_heads: int = Field(default=2, ge=1)
    ffn: int = Field(default=256, ge=16)
    vocabulary: int = Field(default=2048, ge=300)
    length: int = Field(default=4096, ge=128)

    @model_validator(mode="after")
    def _divides(self) -> NewBase:
        if self.hidden % (2 * self.heads) or self.heads % self.kv_heads:
            raise ValueError("hidden must be a multiple of 2 × heads, and heads one of kv_heads")
        return self


class Base(_Strict):
    """What is tuned: a hub id, a folder, or a new model. gguf: a file in it, whose weights are dequantised. template: how
    a turn is written; `auto` takes the one that the tokenizer's own chat template agrees with."""

    hub: str | None = None
    revision: str | None = None
    path: str | None = None
    gguf: str | None = None
    new: NewBase | None = None
    template: Literal["auto", "glm4", "glm_edge", "chatml", "qwen3", "tokenizer"] = "auto"

    @model_validator(mode="after")
    def _one(self) -> Base:
        if sum(x is not None for x in (self.hub, self.path, self.new)) != 1:
            raise ValueError("give one of hub, path, new")
        if self.revision is not None and self.hub is None:
            raise ValueError("revision goes with hub")
        if self.gguf is not None and self.new is not None:
            raise ValueError("gguf goes with hub or path")
        return self


class Lora(_Strict):
    """LoRA (Hu et al., arXiv 2106.09685). save: modules trained in full and kept with the adapter."""

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: list[str] | Literal["all-linear"] = "all-linear"
    save: list[str] = []
    rslora: bool = False


class SourcePart(_Strict):
    """Where rows come from: English IMHI sets, a folder that `build` wrote, or examples that ship with the project.
    weight: how often an epoch sees a row on average. tasks: only these. limit: so many rows, evenly spread."""

    imhi: list[Literal["DR", "CLP", "dreaddit", "SWMH", "T-SID", "SAD", "CAMS", "loneliness", "MultiWD", "Irf"]] = []
    dataset: str | None = None
    shipped: Literal["tiny/imhi", "tiny/c_imhi"] | None = None
    weight: float = Field(default=1.0, gt=0, le=100)
    tasks: list[str] = []
    limit: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one(self) -> SourcePart:
        if sum(bool(x) for x in (self.imhi, self.dataset, self.shipped)) != 1:
            raise ValueError("give one of imhi, dataset, shipped")
        return self


class Stage(_Strict):
    """One stage. batch: micro-batches a step, over all devices (each of `fit.tokens` tokens at most); warmup: share of
    the steps; checks: how often the validation loss is taken, and a checkpoint with it; replay: rows of the earlier
    stages, as a share of this stage's own."""

    name: Name
    sources: list[SourcePart] = Field(min_length=1)
    tune: Tune = "lora"
    lora: Lora = Lora()
    answer: Form = "reasons_first"
    epochs: float = Field(default=3, gt=0, le=1000)
    rate: float = Field(default=2e-4, gt=0, lt=1)
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1)
    batch: int = Field(default=8, ge=1)
    decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    checks: int = Field(default=10, ge=1, le=1000)
    validation: float = Field(default=0.05, gt=0, lt=0.5)  # cut, by post, where the sources come without such a part
    replay: float = Field(default=0.0, ge=0, le=1)


class Fit(_Strict):
    """How it fits the machine. tokens: of a micro-batch, and the longest example; packing: several examples in one row
    without padding (`pack`), or rows of like length (`group`). parallel: over several devices."""

    tokens: int = Field(default=2048, ge=64)
    packing: Literal["pack", "group"] = "pack"
    checkpointing: bool = False
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    attention: Literal["auto", "blocks", "sdpa", "flash_attention_2", "flex_attention"] = "auto"
    compile: bool = False
    parallel: Literal["ddp", "fsdp", "zero2", "zero3"] = "ddp"
    track: list[Literal["trackio", "wandb", "swanlab"]] = []


class Recipe(_Strict):
    """policy: what stage 2 does with the adapter of stage 1: goes on with the same one (`continue`), merges it into the
    weights and starts a new one (`merge_then_new`), or trains a second one on top of it (`stack`). save: the result as
    `merged` weights, or as `adapter` over the base."""

    kind: Literal["llm"]
    name: Name
    seed: int = 0
    policy: Policy = "continue"
    save: Literal["merged", "adapter"] = "merged"
    base: Base
    fit: Fit = Fit()
    stages: list[Stage] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Recipe:
        problems = list(_conflicts(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _conflicts(r: Recipe) -> list[str]:
    out: list[str] = []
    names = [s.name for s in r.stages]
    if len(set(names)) < len(names):
        out.append("two stages have one name")
    if r.stages[0].replay:
        out.append(f"stage {names[0]} is the first: there is nothing to replay")
    adapters = [s for s in r.stages if s.tune != "full"]
    if r.save == "adapter":
        if len(adapters) < len(r.stages):
            out.append("save = adapter: a stage tunes in full, so that the base alone is no base of the adapter")
        if r.policy == "merge_then_new" and len(r.stages) > 1:
            out.append("save = adapter: merge_then_new changes the weights under the adapter; save merged")
        if r.base.new is not None:
            out.append("save = adapter: a new base exists nowhere else; save merged")
    pairs = [(a, b) for a, b in zip(r.stages, r.stages[1:], strict=False) if a.tune != "full" and b.tune != "full"]
    if any(a.tune == "full" for a in r.stages[1:]) and r.policy != "merge_then_new" and len(adapters):
        out.append(f"policy {r.policy}: tuning in full after an adapter needs merge_then_new")
    for a, b in pairs:
        if r.policy == "continue" and (a.lora != b.lora or a.tune != b.tune):
            out.append(
                f"policy continue: stages {a.name} and {b.name} share one adapter, but their lora or tune differ"
            )
        if r.policy == "stack" and (a.lora.save or b.lora.save):
            out.append("policy stack: two adapters cannot both hold lora.save modules")
    if any(s.tune == "qlora" for s in r.stages) and r.fit.parallel == "zero3":
        out.append("qlora does not work with zero3; use ddp or fsdp")
    return list(dict.fromkeys(out))


def read(path: Path) -> Recipe:
    """Raises UserError that lists everything wrong with the recipe."""
    return recipe_file.read(path, Recipe, "recipes/tiny.toml")
