"""Token scores to logits, and what each token adds to them (the read-out of train/net.py in numpy)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Pooled(NamedTuple):
    """`post` [C] and what each token adds to it, `tokens` [T, C]; `own` [T, K] and `whole` [K] for the sentences."""

    post: np.ndarray
    tokens: np.ndarray
    own: np.ndarray
    whole: np.ndarray


def pool(scores: np.ndarray, bias: np.ndarray, children: int) -> Pooled:
    """`scores` [T, 3 C + 2 K] of one window, `bias` [C]. The tokens' shares and the bias sum to the logits."""
    c = bias.shape[0]
    mean, attention, value = scores[:, :c], scores[:, c : 2 * c], scores[:, 2 * c : 3 * c]
    own, whole = scores[:, 3 * c : 3 * c + children], scores[:, 3 * c + children :]
    attention = np.exp(attention - attention.max(0))
    attention /= attention.sum(0)
    tokens = mean / len(scores) + attention * value
    return Pooled(bias + tokens.sum(0), tokens, own, whole.mean(0))


def sentence(p: Pooled, inside: np.ndarray, child_bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits [K] of the sentence whose tokens are `inside` (bool [T]), and what each of these tokens adds [n, K]."""
    tokens = p.own[inside] / max(1, int(inside.sum()))
    return child_bias + tokens.sum(0) + p.whole, tokens


def to_characters(tokens: np.ndarray, spans: np.ndarray, start: int, length: int) -> np.ndarray:
    """Token shares [T, C] with `spans` [T, 2] spread evenly over the characters `start : start + length`: [length, C]."""
    out = np.zeros((length, tokens.shape[1]), np.float32)
    first = np.maximum(spans[:, 0] - start, 0)
    sizes = np.maximum(np.minimum(spans[:, 1] - start, length) - first, 0)
    rows = np.repeat(np.arange(len(tokens)), sizes)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    np.add.at(out, first[rows] + within, tokens[rows] / sizes[rows, None])
    return out
