"""Which examples stand in a micro-batch, and the micro-batch as tensors.

`pack`: one row of at most so many tokens, several examples one behind the other, without padding; position ids begin
anew with each, and none attends to another (blocks). `group`: examples of like length in padded rows. The whole stage is
planned beforehand from the seed, so that a run that goes on sees what it would have seen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .encode import Example

WINDOW = 512  # examples that are shuffled, and then sorted or fitted together: enough for packs without gaps
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Mix:
    """One source of an epoch: which examples (indices), and how often an epoch sees each on average."""

    indices: list[int]
    weight: float


def plan(
    lengths: Sequence[int], mixes: Sequence[Mix], tokens: int, batch: int, epochs: float, seed: int, packing: str
) -> list[list[int]]:
    """The micro-batches of a stage in order, a multiple of `batch` of them: indices of examples.

    lengths: tokens of each example, none over `tokens`. The last step is filled from the epoch after the last.
    """
    out: list[list[int]] = []
    whole, part = divmod(epochs, 1)
    epoch = 0
    while epoch < whole or not out:
        out += one_epoch(lengths, mixes, tokens, seed, epoch, packing)
        epoch += 1
    if part and whole:
        further = one_epoch(lengths, mixes, tokens, seed, epoch, packing)
        out += further[: round(part * len(further))]
        epoch += 1
    elif part:
        out = out[: max(1, round(part * len(out)))]
    while len(out) % batch:
        out += one_epoch(lengths, mixes, tokens, seed, epoch, packing)[: batch - len(out) % batch]
        epoch += 1
    return out


def one_epoch(
    lengths: Sequence[int], mixes: Sequence[Mix], tokens: int, seed: int, epoch: int, packing: str
) -> list[list[int]]:
    """The micro-batches of one epoch, shuffled: of each source its weight's share, drawn anew every epoch."""
    random_ = random.Random(f"{seed}/{epoch}")
    chosen = [i for mix in mixes for i in _drawn(mix, random_)]
    random_.shuffle(chosen)
    out: list[list[int]] = []
    for at in range(0, len(chosen), WINDOW):
        window = chosen[at : at + WINDOW]
        out += (_packed if packing == "pack" else _grouped)(window, lengths, tokens)
    random_.shuffle(out)
    return out


def _drawn(mix: Mix, random_: random.Random) -> list[int]:
    whole, part = divmod(mix.weight, 1)
    return mix.indices * int(whole) + random_.sample(mix.indices, round(part * len(mix.indices)))


def _packed(window: list[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Best fit, longest first: each example goes where it leaves the smallest gap."""
    packs: list[list[int]] = []
    room: list[int] = []
    for i in sorted(window, key=lambda i: (-lengths[i], i)):
        fits = [(r, k) for k, r in enumerate(room) if r >= lengths[i]]
        if fits:
            _, k = min(fits)
            packs[k].append(i)
            room[k] -= lengths[i]
        else:
            packs.append([i])
            room.append(tokens - lengths[i])
    return packs


def _grouped(window: list[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Examples of like length, so many that the padded rows have at most `tokens`."""
    out: list[list[int]] = []
    for i in sorted(window, key=lambda i: (-lengths[i], i)):
        if out and (len(out[-1]) + 1) * lengths[out[-1][0]] <= tokens:
            out[-1].append(i)
        else:
            out.append([i])
    return out


def packed(examples: Sequence[Example]) -> dict[str, Any]:
    """A micro-batch of one row. Tensors [1, n]: `input_ids`, `position_ids` (anew with each example), `shift_labels`: at
    each place the id to be said next where that is answer or stop, else -100. `blocks`: the length of each example."""
    import torch

    ids = [i for e in examples for i in e.ids]
    positions = [p for e in examples for p in range(len(e.ids))]
    labels = [x for e in examples for x in _targets(e, len(e.ids))]
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "shift_labels": torch.tensor([labels]),
        "blocks": [len(e.ids) for e in examples],
    }


def padded(examples: Sequence[Example], pad: int) -> dict[str, Any]:
    """A micro-batch of padded rows [rows, longest], padded on the right: `input_ids`, `attention_mask`, `shift_labels`."""
    import torch

    longest = max(len(e.ids) for e in examples)
    return {
        "input_ids": torch.tensor([e.ids + [pad] * (longest - len(e.ids)) for e in examples]),
        "attention_mask": torch.tensor([[1] * len(e.ids) + [0] * (longest - len(e.ids)) for e in examples]),
        "shift_labels": torch.tensor([_targets(e, longest) for e in examples]),
    }


def _targets(example: Example, length: int) -> list[int]:
    ids, answer = example
    targets = [ids[k + 1] if k + 1 >= answer else IGNORED for k in range(len(ids) - 1)]
    return targets + [IGNORED] * (length - len(targets))
