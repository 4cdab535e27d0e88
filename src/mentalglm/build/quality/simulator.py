"""A cheap simulator: logistic regression on hashed character n-grams, in numpy alone.

For each label its own regression on the same features, all fitted together by accelerated gradient descent, cross-validated
so that no post is predicted by a simulator that has seen it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

BUCKETS = 1 << 12
ORDERS = (1, 2)
STEPS = 80
STRENGTH = 3e-3  # of the squared weights, per row


def features(posts: Sequence[str], told: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three matrices [N, BUCKETS] float32: the posts, the explanations, and of each post the n-grams that its
    explanation repeats. Counts of character 1- and 2-grams (lower case, without white space) in hashed buckets, damped
    by a logarithm, weighted by rarity, each row of length one (an empty text stays zero)."""
    a, b = _counts(posts), _counts(told)
    return tuple(_weighted(x) for x in (a, b, np.where(b > 0, a, 0)))  # pyright: ignore[reportReturnType]


def _counts(texts: Sequence[str]) -> np.ndarray:
    x = np.zeros((len(texts), BUCKETS), np.float32)
    for i, text in enumerate(texts):
        codes = np.frombuffer("".join(text.lower().split()).encode("utf-32-le", "surrogatepass"), "<u4").astype(
            np.uint64
        )
        for order in ORDERS:
            if len(codes) >= order:
                x[i] += np.bincount(_buckets(codes, order), minlength=BUCKETS)
    return x


def _weighted(x: np.ndarray) -> np.ndarray:
    rare = np.log((1 + len(x)) / (1 + (x > 0).sum(0))) + 1
    x = np.log1p(x) * rare.astype(np.float32)
    size = np.sqrt((x * x).sum(1, keepdims=True))
    return x / np.where(size > 0, size, 1)


def _buckets(codes: np.ndarray, order: int) -> np.ndarray:
    state = np.full(len(codes) - order + 1, order, np.uint64)
    with np.errstate(over="ignore"):
        for k in range(order):
            state = (state ^ codes[k : k + len(state)]) * np.uint64(0x9E3779B97F4A7C15)
            state ^= state >> np.uint64(29)
        return ((state * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(52)).astype(np.int64)


def folds(groups: Sequence[str], count: int, seed: int) -> np.ndarray:
    """The fold [N] of each row: by a hash of its group, so that a post's rows stand together."""
    each: dict[str, int] = {}
    for group in set(groups):
        digest = hashlib.blake2b(f"{seed}\0{group}".encode("utf-8", "surrogatepass"), digest_size=4).digest()
        each[group] = int.from_bytes(digest, "big")
    return np.array([each[g] % count for g in groups])


def predict(kernel: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Out-of-fold logits [N, L] for y [N, L] of 0 and 1; positives and negatives of a label weigh the same. `kernel`
    [N, N] holds the products of the rows' features."""
    out = np.zeros(y.shape, np.float32)
    for k in np.unique(fold):
        held, seen = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if len(seen):
            dual, bias = fit(kernel[np.ix_(seen, seen)], y[seen])
            out[held] = kernel[np.ix_(held, seen)] @ dual + bias
    return out


def fit(kernel: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted logistic regressions with a squared penalty, by Nesterov's method: the weights are `x.T @ dual`, dual
    [N, L], and a bias [L]. Rows are fewer than features, so that products of rows are what is cheap to work with."""
    y = y.astype(np.float32)
    share = np.clip(y.mean(0), 1e-6, 1 - 1e-6)
    weigh = (np.where(y > 0, 0.5 / share, 0.5 / (1 - share)) / max(len(y), 1)).astype(np.float32)
    dual = np.zeros_like(y)
    bias = np.zeros(y.shape[1], np.float32)
    ahead, ahead_bias = dual, bias
    rate = np.float32(1 / (0.25 * 2 + STRENGTH))  # rows have length one, the bias adds one, the weights add up to one
    for step in range(STEPS):
        error = weigh * (1 / (1 + np.exp(-np.clip(kernel @ ahead + ahead_bias, -30, 30))) - y)
        new = ahead - rate * (error + STRENGTH * ahead)
        new_bias = ahead_bias - rate * error.sum(0)
        pull = np.float32(step / (step + 3))
        ahead, ahead_bias = new + pull * (new - dual), new_bias + pull * (new_bias - bias)
        dual, bias = new, new_bias
    return dual, bias
