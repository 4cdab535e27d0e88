"""Hashed character n-grams: the linear half of `mini`. No string of any training post is kept, only weights of buckets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BUCKETS = 1 << 17
ORDERS = (1, 2, 3)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of one text: bucket, first character and order of each occurrence, all [M]."""

    buckets: np.ndarray
    starts: np.ndarray
    orders: np.ndarray


def grams(text: str) -> Grams:
    """Every character n-gram of `text` (lower case) for the orders above."""
    codes = np.frombuffer(text.lower().encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    if len(codes) != len(text):  # a few characters grow in lower case; positions must stay those of `text`
        codes = np.array([ord(ch.lower()[0]) for ch in text], dtype=np.uint64)
    buckets, starts, orders = [], [], []
    with np.errstate(over="ignore"):
        state = np.zeros(len(codes), np.uint64)
        for order in ORDERS:
            n = len(codes) - order + 1
            if n <= 0:
                break
            state = (state[:n] ^ codes[order - 1 :]) * _MULTIPLIER + np.uint64(order)
            state ^= state >> np.uint64(29)
            buckets.append(((state * _MULTIPLIER) >> np.uint64(47)).astype(np.int64))
            starts.append(np.arange(n))
            orders.append(np.full(n, order))
    if not buckets:
        empty = np.zeros(0, np.int64)
        return Grams(empty, empty, empty)
    return Grams(np.concatenate(buckets), np.concatenate(starts), np.concatenate(orders))


def weigh(g: Grams, idf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct buckets [U] and their weights [U]: (1 + log tf) · idf with length one (the zero vector stays)."""
    buckets, counts = np.unique(g.buckets, return_counts=True)
    x = (1.0 + np.log(counts)) * idf[buckets]
    size = float(np.sqrt((x * x).sum()))
    return buckets, (x / size if size else x).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights int8 [BUCKETS, columns] with a scale [columns], a bias [columns], and idf [BUCKETS] (0: bucket unused)."""

    weights: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    idf: np.ndarray

    def score(self, text: str) -> np.ndarray:
        """Logits [columns]."""
        buckets, x = weigh(grams(text), self.idf)
        return self.bias + (x @ self.weights[buckets].astype(np.float32)) * self.scale

    def score_with_characters(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Logits [columns], and what each character adds to them [len(text), columns]: the share of an n-gram is split
        evenly over its characters, so that the sum over characters plus the bias is the logit."""
        g = grams(text)
        added = np.zeros((len(text), self.scale.shape[0]), np.float32)
        if not len(g.buckets):
            return self.bias.copy(), added
        buckets, inverse, counts = np.unique(g.buckets, return_inverse=True, return_counts=True)
        x = (1.0 + np.log(counts)) * self.idf[buckets]
        size = float(np.sqrt((x * x).sum())) or 1.0
        used = self.weights[buckets].astype(np.float32) * self.scale
        share = (x / size / counts)[:, None].astype(np.float32) * used
        each = share[inverse] / g.orders[:, None]
        for order in ORDERS:
            here = each[g.orders == order]
            for k in range(order):
                added[k : k + len(here)] += here
        return self.bias + added.sum(0), added


def occupied(linear: Linear) -> int:
    """How many buckets carry any weight."""
    return int((linear.idf > 0).sum())
