"""The recipe of an embedded model: one short TOML, unknown keys are errors, and all errors are said at once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mentalglm import recipe_file
from mentalglm.errors import UserError

SETS = ("sos_hl_1k", "sos_4k", "socialcd_3k", "psysuicide", "ordinary_weibo", "invented")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Strict):
    sets: list[Literal["sos_hl_1k", "sos_4k", "socialcd_3k", "psysuicide", "ordinary_weibo", "invented"]]
    ordinary: int = Field(1000, ge=0)
    max_tokens: int = Field(128, ge=16, le=510)


class EncoderPart(_Strict):
    layers: list[int] = Field(min_length=1, max_length=12)
    trained: int = Field(ge=1)


class WarmPart(_Strict):
    """The warm start: the whole encoder on the contrast pairs alone, once, before the fits. No epochs: none."""

    epochs: int = Field(default=0, ge=0)
    batch: int = Field(default=32, ge=1)
    rate: float = Field(default=3e-4, gt=0)
    decay: float = Field(default=0.9, gt=0, le=1)


class FitPart(_Strict):
    folds: int = Field(5, ge=2)
    epochs: int = Field(3, ge=1)
    batch: int = Field(32, ge=1)
    rate: float = Field(2e-4, gt=0)
    decay: float = Field(1.0, gt=0, le=1)
    ngram_strength: float = Field(8.0, gt=0)


class DecidePart(_Strict):
    miss_target: float = Field(0.10, gt=0, lt=1)


class Recipe(_Strict):
    kind: Literal["mini"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    seed: int = 0
    data: Data
    encoder: EncoderPart
    warm: WarmPart = WarmPart()
    fit: FitPart
    decide: DecidePart


def read(path: Path) -> Recipe:
    """Raises UserError that lists everything wrong with the recipe."""
    recipe = recipe_file.read(path, Recipe, "recipes/mini.toml")
    if recipe.encoder.trained > len(recipe.encoder.layers):
        raise UserError(f"{path}: encoder.trained is more than its layers", "give at most the number of layers")
    return recipe
