"""Examples as arrays: token ids, targets with NaN where unknown, and which tokens belong to which sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from mentalglm.train.corpus import DISTORTIONS, PATHWAY, PSY, SUBJECTS, Example
from mentalglm.train.net import CHILDREN, COLUMNS, columns


@dataclass(slots=True)
class Tensors:
    """N examples. `ids[i]` int64 [T_i]; `targets` float32 [N, C]; `segments[i]` float32 [S_i, T_i] and
    `children[i]` float32 [S_i, K], the sentences whose pathway labels are known."""

    ids: list[np.ndarray]
    targets: np.ndarray
    segments: list[np.ndarray]
    children: list[np.ndarray]

    def length(self, i: int) -> int:
        return len(self.ids[i])


def of_examples(examples: list[Example], tokenizer: Tokenizer, max_tokens: int) -> Tensors:
    """Posts longer than `max_tokens` are cut (the runtime reads them in windows)."""
    targets = np.full((len(examples), COLUMNS), np.nan, np.float32)
    out = Tensors([], targets, [], [])
    for i, e in enumerate(examples):
        encoded = tokenizer.encode(e.text)
        out.ids.append(np.array(encoded.ids[:max_tokens], np.int64))
        _fill(targets[i], e)
        inside, labels = [], []
        for start, end, known in e.sentences:
            row = [float(a < end and b > start and b > a) for a, b in encoded.offsets[:max_tokens]]
            if known is not None and any(row):
                inside.append(row)
                labels.append([float(k in known) for k in PATHWAY])
        out.segments.append(np.array(inside, np.float32).reshape(len(inside), len(out.ids[-1])))
        out.children.append(np.array(labels, np.float32).reshape(len(labels), CHILDREN))
    return out


def _fill(row: np.ndarray, e: Example) -> None:
    if e.risk is not None:
        row[columns("risk")] = e.risk
    if e.level is not None:
        row[columns("level")] = np.arange(1, 11) <= e.level
    if e.subject is not None:
        row[columns("subject")] = np.eye(len(SUBJECTS))[e.subject]
    if e.attempt is not None:
        row[columns("attempt")] = e.attempt
    if e.distortions is not None:
        row[columns("any")] = bool(e.distortions)
        row[columns("distortion")] = [d in e.distortions for d in DISTORTIONS]
    if e.psy is not None:
        row[columns("psy")] = [d in e.psy for d in PSY]
