"""Fits the hashed n-gram half of `mini`: logistic regressions on TF-IDF weights, one a column, kept in 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from mentalglm.models.mini.ngrams import BUCKETS, Linear, grams, weigh

MIN_POSTS = 3  # an n-gram of fewer posts is left out: it says little, and it could give a post away


def document_frequency(texts: Sequence[str]) -> np.ndarray:
    """In how many texts each bucket occurs, [BUCKETS]."""
    df = np.zeros(BUCKETS, np.int64)
    for text in texts:
        df[np.unique(grams(text).buckets)] += 1
    return df


def inverse_frequency(df: np.ndarray, n: int) -> np.ndarray:
    """Smoothed idf [BUCKETS], 0 where a bucket stands in fewer than MIN_POSTS texts."""
    return np.where(df >= MIN_POSTS, np.log((1 + n) / (1 + df)) + 1, 0.0).astype(np.float32)


def matrix(texts: Sequence[str], idf: np.ndarray) -> sparse.csr_matrix:
    """TF-IDF rows [N, BUCKETS]."""
    data, columns, ends = [], [], [0]
    for text in texts:
        b, x = weigh(grams(text), idf)
        keep = x != 0
        columns.append(b[keep])
        data.append(x[keep])
        ends.append(ends[-1] + int(keep.sum()))
    if not texts:
        return sparse.csr_matrix((0, BUCKETS), dtype=np.float32)
    return sparse.csr_matrix(
        (np.concatenate(data), np.concatenate(columns), np.array(ends)), shape=(len(texts), BUCKETS), dtype=np.float32
    )


def fit(x: sparse.csr_matrix, y: np.ndarray, c: float | Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """One logistic regression a column of `y` [N, K] (NaN: unknown, left out). Gives weights [BUCKETS, K], bias [K]."""
    k = y.shape[1]
    strengths = [c] * k if isinstance(c, int | float) else list(c)
    weights, bias = np.zeros((BUCKETS, k), np.float32), np.zeros(k, np.float32)
    for j in range(k):
        known = ~np.isnan(y[:, j])
        target = y[known, j]
        if len(np.unique(target)) < 2:
            bias[j] = -6.0
            continue
        model = LogisticRegression(C=strengths[j], solver="liblinear").fit(x[known], target)
        weights[:, j], bias[j] = model.coef_[0], model.intercept_[0]
    return weights, bias


def pack(weights: np.ndarray, bias: np.ndarray, idf: np.ndarray) -> Linear:
    """8-bit weights: the rounding moves a logit by about a hundredth of its column's largest weight at most."""
    scale = np.maximum(np.abs(weights).max(0) / 127.0, 1e-9).astype(np.float32)
    q = np.round(weights / scale).astype(np.int8)
    return Linear(q, scale, bias.astype(np.float32), idf.astype(np.float16).astype(np.float32))
