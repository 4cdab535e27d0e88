"""One fit of the network on some examples, with predictions for others. The lower layers may stay frozen: their states
are computed once and kept in half precision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mentalglm.train.net import CHILDREN, Encoder, ReadOut, columns
from mentalglm.train.tensors import Tensors

# What a loss weighs: sums over an output's columns, means over the batch.
LOSS = {"risk": 1.0, "level": 0.25, "subject": 0.5, "attempt": 0.3, "any": 0.5, "distortion": 0.5, "psy": 0.3}
CHILD_LOSS = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """`trained`: how many of the top layers learn; rates are peaks after a tenth of warm-up, falling linearly."""

    trained: int
    epochs: int
    batch: int = 32
    rate: float = 3e-4
    read_out_rate: float = 1e-3
    dropout: float = 0.1
    seed: int = 0
    decay: float = 1.0  # a layer's rate is that of the layer above times this


def frozen_states(encoder: Encoder, data: Tensors, trained: int) -> list[Tensor]:
    """The states [T_i, H], half precision, below the layers that learn."""
    encoder.eval()
    out: list[Tensor] = [torch.empty(0)] * len(data.ids)
    below = len(encoder.layers) - trained
    with torch.no_grad():
        for rows in _sorted_batches(data, range(len(data.ids)), 64):
            ids, mask = _pad_ids(data, rows)
            x = encoder.run(encoder.embed(ids), mask, 0, below, 0.0)
            for r, i in enumerate(rows):
                out[i] = x[r, : data.length(i)].half()
    return out


def fit(
    encoder: Encoder,
    read_out: ReadOut,
    data: Tensors,
    states: list[Tensor],
    rows: Sequence[int],
    plan: Plan,
    say: Callable[[str], None],
    families: Sequence[str] = (),
    halved: frozenset[int] = frozenset(),
) -> None:
    """Trains in place on the examples `rows`.

    families: by example; those of one family (a contrast pair) stand in one batch. halved: rows of which each epoch
    takes one half of the families, in turn.
    """
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    _start_bias(read_out, data.targets[list(rows)])
    below = len(encoder.layers) - plan.trained
    learned = [p for layer in encoder.layers[below:] for p in layer.parameters()]
    groups = _groups(list(read_out.parameters()), plan.read_out_rate)
    for depth, layer in enumerate(reversed(encoder.layers[below:])):
        groups += _groups(list(layer.parameters()), plan.rate * plan.decay**depth)
    optimizer = torch.optim.AdamW(groups)
    peaks = [g["lr"] for g in optimizer.param_groups]
    units = _units(rows, families)
    kept = [[u for at, u in enumerate(units) if u[0] not in halved or (at + n) % 2] for n in range(plan.epochs)]
    every = [list(_shuffled_batches(data, us, plan.batch, rng)) for us in kept]
    steps, step, start = sum(map(len, every)), 0, time.monotonic()
    for epoch in range(plan.epochs):
        encoder.train()
        read_out.train()
        total = 0.0
        for batch in every[epoch]:
            factor = min((step + 1) / (0.1 * steps), max(0.02, 1 - step / steps))
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            post, child, target, labels = _forward(encoder, read_out, data, states, batch, below, plan.dropout)
            loss = _loss(post, child, target, labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned + list(read_out.parameters()), 1.0)
            optimizer.step()
            step += 1
            total += loss.item() * len(batch)
        seen = sum(map(len, every[epoch]))
        say(f"epoch {epoch + 1}/{plan.epochs} loss {total / seen:.4f} after {time.monotonic() - start:.0f} s")


def predict(
    encoder: Encoder, read_out: ReadOut, data: Tensors, states: list[Tensor], rows: Sequence[int], trained: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits [len(rows), C], and per example logits [S_i, K] of its sentences."""
    encoder.eval()
    read_out.eval()
    place = {i: k for k, i in enumerate(rows)}
    posts = np.zeros((len(rows), data.targets.shape[1]), np.float32)
    children: list[np.ndarray] = [np.zeros((0, CHILDREN), np.float32)] * len(rows)
    below = len(encoder.layers) - trained
    with torch.no_grad():
        for batch in _sorted_batches(data, rows, 64):
            post, child, _, _ = _forward(encoder, read_out, data, states, batch, below, 0.0)
            for r, i in enumerate(batch):
                posts[place[i]] = post[r].numpy()
                children[place[i]] = child[r, : len(data.segments[i])].numpy()
    return posts, children


def _forward(
    encoder: Encoder, read_out: ReadOut, data: Tensors, states: list[Tensor], rows: list[int], below: int, drop: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    longest = max(data.length(i) for i in rows)
    sentences = max(1, *(len(data.segments[i]) for i in rows))
    x = torch.zeros(len(rows), longest, encoder.size.hidden)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    segments = torch.zeros(len(rows), sentences, longest)
    labels = torch.full((len(rows), sentences, CHILDREN), float("nan"))
    for r, i in enumerate(rows):
        n, s = data.length(i), len(data.segments[i])
        x[r, :n] = states[i].float()
        mask[r, :n] = True
        segments[r, :s, :n] = torch.from_numpy(data.segments[i])
        labels[r, :s] = torch.from_numpy(data.children[i])
    if encoder.training:
        # words that go missing must not turn a label by themselves: one token in twenty is hidden in every other post
        hidden = (torch.rand(mask.shape) < 0.05) & (torch.rand(len(rows), 1) < 0.5)
        hidden[:, 0] = False
        mask = mask & ~hidden
    h = encoder.run(x, mask, below, None, drop)
    post, child = read_out(F.dropout(h, drop, encoder.training), mask, segments)
    return post, child, torch.from_numpy(data.targets[rows]), labels


def _loss(post: Tensor, child: Tensor, target: Tensor, labels: Tensor) -> Tensor:
    total = post.new_zeros(())
    for name, weight in LOSS.items():
        z, t = post[:, columns(name)], target[:, columns(name)]
        known = ~torch.isnan(t[:, 0])
        if not known.any():
            continue
        if name in ("subject", "psy"):
            share = t[known] / t[known].sum(1, keepdim=True).clamp(min=1)
            total = total + weight * F.cross_entropy(z[known], share, reduction="sum") / len(post)
        else:
            total = total + weight * F.binary_cross_entropy_with_logits(z[known], t[known], reduction="sum") / len(post)
    known = ~torch.isnan(labels[..., 0])
    if known.any():
        z, t = child[known], labels[known]
        total = total + CHILD_LOSS * F.binary_cross_entropy_with_logits(z, t, reduction="sum") / len(post)
    return total


def _start_bias(read_out: ReadOut, targets: np.ndarray) -> None:
    known = (~np.isnan(targets)).sum(0)
    rate = np.clip(np.nansum(targets, 0) / np.maximum(known, 1), 0.005, 0.995)
    with torch.no_grad():
        read_out.bias.copy_(torch.from_numpy(np.log(rate / (1 - rate)).astype(np.float32)))


def _groups(parameters: list[torch.nn.Parameter], rate: float) -> list[dict[str, object]]:
    return [
        {"params": [p for p in parameters if p.ndim > 1], "lr": rate, "weight_decay": 0.01},
        {"params": [p for p in parameters if p.ndim < 2], "lr": rate, "weight_decay": 0.0},
    ]


def _pad_ids(data: Tensors, rows: list[int]) -> tuple[Tensor, Tensor]:
    longest = max(data.length(i) for i in rows)
    ids = torch.ones(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    for r, i in enumerate(rows):
        ids[r, : data.length(i)] = torch.from_numpy(data.ids[i])
        mask[r, : data.length(i)] = True
    return ids, mask


def _sorted_batches(data: Tensors, rows: Sequence[int], size: int) -> Iterator[list[int]]:
    order = sorted(rows, key=data.length)
    for s in range(0, len(order), size):
        yield order[s : s + size]


def _units(rows: Sequence[int], families: Sequence[str]) -> list[list[int]]:
    """`rows` one by one, but those of one family together."""
    units: dict[object, list[int]] = {}
    for i in rows:
        units.setdefault((families[i] if families else "") or i, []).append(i)
    return list(units.values())


def _shuffled_batches(
    data: Tensors, units: Sequence[list[int]], size: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """Batches of about `size` rows of like lengths, drawn from pools of fifty batches; a unit is never divided."""
    batches: list[list[int]] = []
    pool: list[list[int]] = []

    def close() -> None:
        batch: list[int] = []
        for unit in sorted(pool, key=lambda u: max(map(data.length, u))):
            if batch and len(batch) + len(unit) > size:
                batches.append(batch)
                batch = []
            batch = batch + unit
        if batch:
            batches.append(batch)
        pool.clear()

    held = 0
    for at in rng.permutation(len(units)):
        pool.append(units[at])
        held += len(units[at])
        if held >= size * 50:
            close()
            held = 0
    close()
    for k in rng.permutation(len(batches)):
        yield batches[k]
