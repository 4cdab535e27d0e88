"""ROUGE on characters, for the pathway's summaries: Chinese has no spaces, and a segmenter would be part of the score.

Source: Lin, "ROUGE: a package for automatic evaluation of summaries" (2004), sections 2 and 3; F with beta 1.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import NamedTuple

import numpy as np

from .answers import Said
from .pair import Gold, System

NAMES = ("rouge1", "rouge2", "rougeL")
METRICS = (*NAMES, "presence_precision", "presence_recall", "presence_f1")


class Rouge(NamedTuple):
    """Precision, recall and F1."""

    precision: float
    recall: float
    f1: float


def characters(text: str) -> str:
    """What is compared: NFKC, lower case, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def rouge_n(gold: str, said: str, n: int) -> Rouge:
    """Overlap of the n-grams of characters, each counted as often as it stands in both."""
    a, b = _grams(characters(gold), n), _grams(characters(said), n)
    if not a and not b:  # texts too short to have any
        same = float(characters(gold) == characters(said))
        return Rouge(same, same, same)
    return _rouge((a & b).total(), a.total(), b.total())


def rouge_l(gold: str, said: str) -> Rouge:
    """The longest common subsequence of characters, of one sentence each. Two empty texts are the same."""
    a, b = characters(gold), characters(said)
    if not a and not b:
        return Rouge(1.0, 1.0, 1.0)
    return _rouge(common(a, b), len(a), len(b))


def common(a: str, b: str) -> int:
    """The length of the longest common subsequence: a row of the table is the bits of one number (Hyyrö 2004)."""
    where: dict[str, int] = {}
    for i, ch in enumerate(a):
        where[ch] = where.get(ch, 0) | 1 << i
    full = (1 << len(a)) - 1
    row = full
    for ch in b:
        match = row & where.get(ch, 0)
        row = ((row + match) | (row - match)) & full
    return len(a) - row.bit_count()


def _grams(text: str, n: int) -> Counter[str]:
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))


def _rouge(both: int, gold: int, said: int) -> Rouge:
    p, r = both / said if said else 0.0, both / gold if gold else 0.0
    return Rouge(p, r, 2 * p * r / (p + r) if p + r else 0.0)


def features(gold: Gold, system: System) -> np.ndarray:
    """What each post adds, [N, 7]: sums of ROUGE-1, -2, -L, pairs of summaries, and summaries in both, only said, only
    gold.

    A pair is a parent of which the gold or the answer has a summary: one that is missing, and one that should not be
    there, have ROUGE 0. A failed answer has none; where the gold has none either, it is one that should not be there.
    """
    out = np.zeros((len(gold.ids), 7))
    for n, (right, answer) in enumerate(zip(gold.said, system.said, strict=True)):
        out[n] = _post(right, answer)
    return out


def _post(right: Said, answer: Said | None) -> np.ndarray:
    wanted = right.summary or ()
    given = answer.summary if answer is not None and answer.summary is not None else (None,) * len(wanted)
    out = np.zeros(7)
    for a, b in zip(wanted, given, strict=True):
        if a is None and b is None:
            continue
        out[3] += 1
        out[4] += a is not None and b is not None
        out[5] += a is None
        out[6] += b is None
        if a is not None and b is not None:
            out[:3] += rouge_n(a, b, 1).f1, rouge_n(a, b, 2).f1, rouge_l(a, b).f1
    if answer is None and not any(wanted):
        out[3] = out[5] = 1
    return out


def metric(sums: np.ndarray) -> np.ndarray:
    """Sums [..., 7] to METRICS [..., 6]."""
    from .score import ratio

    both, said, gold = sums[..., 4], sums[..., 5], sums[..., 6]
    p, r, f = ratio(both, both + said), ratio(both, both + gold), ratio(2 * both, 2 * both + said + gold)
    mean = ratio(sums[..., :3], sums[..., 3:4])
    return np.concatenate([mean, np.stack([p, r, f], -1)], -1)
