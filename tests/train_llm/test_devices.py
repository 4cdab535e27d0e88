"""Two processes (gloo, on a processor) give the losses of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mentalglm import runs
from mentalglm.errors import UserError
from mentalglm.train import llm

from . import small


def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    small.needs_training()
    import torch

    torch.set_num_threads(1)
    recipe = small.recipe(tmp_path)
    two = small.start(recipe, tmp_path / "two", world=2)
    assert llm.command(recipe, tmp_path / "one", say=lambda line: None) == 0
    assert small.end(two) == [0, 0]
    assert runs.verify(tmp_path / "two") == []
    one, other = small.losses(tmp_path / "one"), small.losses(tmp_path / "two")
    assert [x["step"] for x in one] == [x["step"] for x in other]
    for a, b in zip(one, other, strict=True):
        for key in ("loss", "eval_loss", "grad_norm"):
            if key in a:
                assert b[key] == pytest.approx(a[key], rel=2e-3), (key, a["step"])


@pytest.mark.parametrize("parallel", ["fsdp", "zero2"])
def test_sharing_a_model_out_needs_gpus(parallel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a processor accelerate would take DDP in FSDP's place without a word."""
    small.needs_training()
    import torch

    from mentalglm.train.llm import trainer
    from mentalglm.train.llm.recipe import Fit, read

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    recipe = read(small.recipe(tmp_path))
    recipe = recipe.model_copy(update={"fit": Fit(parallel=parallel)})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"{parallel} shares a model out over GPUs"):
        trainer.arguments(recipe, recipe.stages[0], tmp_path, 10, "float32", 2)
