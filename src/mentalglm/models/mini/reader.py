"""From cleaned texts to scores: tokens, windows, batches, the ONNX session. Numpy, onnxruntime and tokenizers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WINDOW = 254  # tokens of a window, <s> and </s> not counted
OVERLAP = 32
BATCH_TOKENS = 1536  # tokens of one call with its padding: larger calls are no faster and take more memory


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a cleaned text: `ids` [T] with <s> and </s>, `spans` [T, 2] of its tokens in the cleaned text ((0, 0) for
    the two), and the characters `start:end` that it covers."""

    ids: np.ndarray
    spans: np.ndarray
    start: int
    end: int


class Reader:
    """The tokenizer and the session. `scores(windows)` gives [T, columns] a window."""

    def __init__(self, folder: Path, threads: int | None) -> None:
        from tokenizers import Tokenizer

        self.tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.session = open_session(folder / "encoder.onnx", threads)

    def windows(self, text: str) -> list[Window]:
        """Windows of at most WINDOW tokens, each beginning OVERLAP tokens before the last one's end."""
        encoded = self.tokenizer.encode(text)
        ids = np.array(encoded.ids, np.int64)[1:-1]
        spans = np.array(encoded.offsets, np.int64).reshape(-1, 2)[1:-1]
        if len(ids) <= WINDOW:
            return [_window(ids, spans, 0, len(text))]
        out: list[Window] = []
        at = 0
        while True:
            part, where = ids[at : at + WINDOW], spans[at : at + WINDOW]
            last = at + WINDOW >= len(ids)
            start = 0 if at == 0 else int(where[0, 0])
            out.append(_window(part, where, start, len(text) if last else int(where[-1, 1])))
            if last:
                return out
            at += WINDOW - OVERLAP

    def scores(self, windows: Sequence[Window]) -> list[np.ndarray]:
        """Token scores [T, columns] of each window, in the order given; alike lengths share a call."""
        out: list[np.ndarray] = [np.zeros(0)] * len(windows)
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
        batch: list[int] = []
        for i in order:
            if batch and (len(batch) + 1) * len(windows[i].ids) > BATCH_TOKENS:
                self._run(windows, batch, out)
                batch = []
            batch.append(i)
        if batch:
            self._run(windows, batch, out)
        return out

    def _run(self, windows: Sequence[Window], rows: list[int], out: list[np.ndarray]) -> None:
        longest = max(len(windows[i].ids) for i in rows)
        ids = np.ones((len(rows), longest), np.int64)
        mask = np.zeros((len(rows), longest), np.int32)
        for r, i in enumerate(rows):
            ids[r, : len(windows[i].ids)] = windows[i].ids
            mask[r, : len(windows[i].ids)] = 1
        scores = self.session.run(None, {"ids": ids, "mask": mask})[0]
        for r, i in enumerate(rows):
            out[i] = scores[r, : len(windows[i].ids)].copy()


def open_session(path: Path, threads: int | None) -> Any:
    """The graph at `path`, ready to run on `threads` threads (None: as many as there are cores)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # the 8-bit weights are unpacked once: floats are the fastest arithmetic on processors without VNNI
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # an arena keeps the largest batch for ever; without it memory stays flat
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _window(ids: np.ndarray, spans: np.ndarray, start: int, end: int) -> Window:
    nought = np.zeros((1, 2), np.int64)
    return Window(np.concatenate([[0], ids, [2]]), np.concatenate([nought, spans, nought]), start, end)
