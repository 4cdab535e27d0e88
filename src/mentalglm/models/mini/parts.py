"""The two halves of `mini` brought together: calibrated logits of a text, and what each character adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mentalglm.text import Cleaned

from .decide import CHILDREN, COLUMNS, Constants
from .ngrams import Linear
from .pool import Pooled, pool, sentence, to_characters
from .reader import Reader, Window


@dataclass(slots=True)
class Parts:
    """One window of a text. `logits` [C] are calibrated. Shares of characters are worked out when they are asked for."""

    window: Window
    text: str  # the window's characters
    pooled: Pooled
    grams: np.ndarray  # what each character adds through the n-grams, [length, C]
    logits: np.ndarray
    constants: Constants
    linear: Linear

    def added(self, weights: np.ndarray) -> np.ndarray:
        """What each character of the window adds to `weights` [C] · logits: [length]."""
        c = self.constants
        tokens = self.pooled.tokens @ (weights @ c.network)
        spread = to_characters(tokens[:, None], self.window.spans, self.window.start, len(self.text))[:, 0]
        return spread + self.grams @ (weights @ c.grams)

    def edges(self) -> list[int]:
        """Where tokens begin and end, in the window's characters."""
        spans = self.window.spans[1:-1] - self.window.start
        return [int(x) for x in np.unique(spans) if 0 <= x <= len(self.text)]

    def sentence(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated logits [K] of the sentence `start:end` (the window's characters), and what each of its characters
        adds to them [end - start, K]."""
        c, spans = self.constants, self.window.spans - self.window.start
        inside = (spans[:, 0] < end) & (spans[:, 1] > start) & (spans[:, 1] > spans[:, 0])
        z, tokens = sentence(self.pooled, inside, c.child_read_bias)
        g, chars = self.linear.score_with_characters(self.text[start:end])
        shares = to_characters(tokens, spans[inside], start, end - start)
        logits = z * c.child_network + g[COLUMNS:] * c.child_grams + c.child_bias
        return logits, shares * c.child_network + chars[:, COLUMNS:] * c.child_grams


def parts(texts: Sequence[Cleaned], reader: Reader, linear: Linear, c: Constants) -> list[list[Parts]]:
    """The windows of each text; an empty text has none."""
    windows = [reader.windows(t.text) if t.text else [] for t in texts]
    scores = iter(reader.scores([w for ws in windows for w in ws]))
    return [[_part(t.text, w, next(scores), linear, c) for w in ws] for t, ws in zip(texts, windows, strict=True)]


def _part(text: str, window: Window, scores: np.ndarray, linear: Linear, c: Constants) -> Parts:
    part = text[window.start : window.end]
    pooled = pool(scores, c.read_bias, CHILDREN)
    g, chars = linear.score_with_characters(part)
    logits = c.network @ pooled.post + c.grams @ g[:COLUMNS] + c.bias
    return Parts(window, part, pooled, chars[:, :COLUMNS], logits, c, linear)
