"""Out of memory, answered with the setting to change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mentalglm.errors import UserError

from .recipe import Recipe, Stage

_SAID = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


@contextlib.contextmanager
def watched(recipe: Recipe, stage: Stage, longest: int) -> Iterator[None]:
    """Turns out-of-memory into a UserError that names the setting to change. longest: tokens of the longest example."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(word in str(error).lower() for word in _SAID):
            raise
        raise UserError(f"out of memory in stage {stage.name}{_held()}", advice(recipe, stage, longest)) from error


def advice(recipe: Recipe, stage: Stage, longest: int) -> str:
    """What to set, the cheapest first; the same call then goes on from the last checkpoint where the weights allow it."""
    fit = recipe.fit
    if not fit.checkpointing:
        return "set fit.checkpointing = true (about a third slower, a fraction of the memory), and name another --out"
    half = fit.tokens // 2
    if half >= max(longest, 256):
        again = f"set fit.tokens = {half} and {stage.name}'s batch = {stage.batch * 2}"
        return f"{again} (the same step), and name another --out"
    if stage.tune == "full":
        return f'set tune = "lora" in stage {stage.name}: the optimiser then holds a hundredth of the weights'
    if stage.tune == "lora":
        return f'set tune = "qlora" in stage {stage.name}: the base then takes 4 bits a weight (needs bitsandbytes)'
    return f"set fit.tokens = {half} (longer examples are left out), or take a smaller base"


def _held() -> str:
    with contextlib.suppress(Exception):
        peak = used()
        return f" ({peak:.1f} GiB held)" if peak else ""
    return ""


def used() -> float:
    """GiB held at the peak: on the GPU where there is one, else by this process."""
    import resource

    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def peak_flops() -> float | None:
    """Dense bf16 operations a second that this GPU's maker states; None where that is not known."""
    import torch

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    known: dict[str, Any] = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
    return next((v for k, v in known.items() if k in name), None)
