"""What ships gives no one's post away: from the first 10 characters of a training post, no shipped file yields 15 more.

Two ways to lose a post: its words stand in a file (searched for, in every usual encoding), or they can be pieced
together from what a file knows about n-grams (attacked, with a control that shows that the attack works where there is
something to find). Both need the posts that mini was trained on, which are not in the project.
"""

from __future__ import annotations

import functools
import os
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pytest

import mentalglm
from mentalglm.models.mini import WEIGHTS
from mentalglm.models.mini.ngrams import BUCKETS, grams

ROOT = Path(__file__).parents[1]
PACKAGE = Path(mentalglm.__file__).parent
KNOWN, MORE = 10, 15
POSTS, BEAM = 300, 50
SETS = ["sos_hl_1k", "sos_4k", "socialcd_3k", "psysuicide", "ordinary_weibo"]


@functools.cache
def posts() -> list[str]:
    """Every post of the training data as it was given and as training reads it. Skips where the data are not."""
    from mentalglm.train import corpus

    folder = Path(os.environ.get("MENTALGLM_DATA", ROOT.parent / "shared" / "data"))
    if not all((folder / name).is_dir() for name in SETS):
        pytest.skip("the training data are not here (set MENTALGLM_DATA): memorisation cannot be tested")
    paths = corpus.inputs(SETS, folder).values()
    given = [str(row["text"]) for path in paths for row in corpus._rows(path)]
    return list(dict.fromkeys([*given, *cleaned(folder)]))


@functools.cache
def cleaned(folder: Path) -> list[str]:
    """The texts that mini is trained on, but the project's own."""
    from mentalglm.train import corpus
    from mentalglm.train.recipe import read

    recipe = read(ROOT / "recipes" / "mini.toml")
    sets = [s for s in recipe.data.sets if s != "invented"]
    return [e.text for e in corpus.collect(sets, folder, recipe.data.ordinary, recipe.seed)]


def training_texts() -> list[str]:
    posts()  # skips where there are none
    return cleaned(Path(os.environ.get("MENTALGLM_DATA", ROOT.parent / "shared" / "data")))


# --- (a) words that stand in a file

# Runs of characters that could be words: Han, kana, full-width forms, punctuation, ASCII, emoji.
_UTF8 = re.compile(
    rb"(?:[\x20-\x7e]|\xe2[\x80-\xbf]{2}|\xe3[\x80-\x83][\x80-\xbf]|[\xe4-\xe9][\x80-\xbf]{2}|\xef[\xbc-\xbf][\x80-\xbf]"
    rb"|\xf0\x9f[\x80-\xbf]{2}){%d,}" % MORE
)
_GB = re.compile(rb"(?:[\x20-\x7e]|[\x81-\xfe][\x40-\x7e\x80-\xfe]){%d,}" % MORE)


def runs(data: bytes) -> Iterator[str]:
    """Every stretch of at least 15 characters in `data`, whatever the encoding; compressed members unpacked."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from runs(archive.read(name))
        return
    for m in _UTF8.finditer(data):
        yield m[0].decode("utf-8", "replace")
    if b"\\u" in data:  # JSON that escapes
        for m in re.finditer(rb"(?:\\u[0-9a-fA-F]{4}|[\x20-\x5b\x5d-\x7e]){%d,}" % MORE, data):
            yield re.sub(r"\\u(....)", lambda x: chr(int(x[1], 16)), m[0].decode("ascii"))
    if not data[:4096].isascii() or b"\0" in data[:4096]:
        for m in _GB.finditer(data):
            yield m[0].decode("gb18030", "replace")
    if b"\0" in data:
        for width, dtype in ((2, "<u2"), (4, "<u4")):
            for offset in range(width):
                codes = np.frombuffer(data, dtype, (len(data) - offset) // width, offset)
                yield from _wide(codes)


def _wide(codes: np.ndarray) -> Iterator[str]:
    """Runs of characters in arrays of UTF-16 or UTF-32 codes."""
    word = ((codes >= 0x20) & (codes < 0x7F)) | ((codes >= 0x2010) & (codes < 0x2040))
    word |= ((codes >= 0x3000) & (codes < 0x3100)) | ((codes >= 0x4E00) & (codes < 0xA000))
    word |= ((codes >= 0xFF00) & (codes < 0xFFF0)) | ((codes >= 0x1F000) & (codes < 0x1FB00))
    ends = np.flatnonzero(np.diff(np.concatenate([[0], word.view(np.int8), [0]])))
    for start, end in ends.reshape(-1, 2)[(ends[1::2] - ends[::2]) >= MORE].tolist():
        yield "".join(map(chr, codes[start:end].tolist()))


def windows(text: str) -> Iterator[str]:
    """Every 15 characters of a text that say something: at least six different ones (哈哈哈… is nobody's post)."""
    for i in range(len(text) - MORE + 1):
        part = text[i : i + MORE]
        if len(set(part)) >= 6:
            yield part


@functools.cache
def known() -> frozenset[int]:
    return frozenset(hash(w) for text in posts() for w in windows(text))


def found_in(data: bytes) -> list[str]:
    return [w for run in runs(data) for w in windows(run) if hash(w) in known()]


def shipped() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def test_no_shipped_file_holds_fifteen_characters_of_a_post() -> None:
    posts()
    files = shipped()
    assert any(p.suffix == ".jsonl" for p in files)
    wrong = {str(p.relative_to(PACKAGE)): found_in(p.read_bytes()) for p in files}
    assert {name: parts for name, parts in wrong.items() if parts} == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-le", "gb18030", "escaped", "npz"])
def test_the_search_finds_a_post_in_any_encoding(encoding: str) -> None:
    """Control: where a post is planted among weights it is found, at any offset."""
    text = next(t for t in training_texts() if 30 < len(t) < 60 and len(list(windows(t))) > 10)
    noise = np.random.default_rng(0).integers(0, 256, 5001).astype(np.uint8).tobytes()
    if encoding == "npz":
        stream = BytesIO()
        np.savez_compressed(stream, words=np.array([text]))
        data = stream.getvalue()
    elif encoding == "escaped":
        import json

        data = json.dumps({"piece": text}).encode()
    else:
        data = noise + text.encode(encoding) + noise
    assert found_in(data)


# --- (b) words that can be pieced together


class Counts(Protocol):
    """Says in how many posts an n-gram stood, as far as a file tells, for arrays of hash states."""

    def __call__(self, states: np.ndarray) -> np.ndarray: ...


_M = np.uint64(0x9E3779B97F4A7C15)


def step(state: np.ndarray, codes: np.ndarray, order: int) -> np.ndarray:
    """The hash state of an n-gram from that of its first n - 1 characters: `ngrams.grams`, one character at a time."""
    with np.errstate(over="ignore"):
        out = (state ^ codes) * _M + np.uint64(order)
    return out ^ (out >> np.uint64(29))


def bucket(states: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return ((states * _M) >> np.uint64(47)).astype(np.int64)


def codes_of(text: str) -> np.ndarray:
    return np.array([ord(c) for c in text], np.uint64)


def states_of(text: str, order: int) -> np.ndarray:
    codes = codes_of(text.lower())
    state = np.zeros(max(0, len(codes) - order + 1), np.uint64)
    for k in range(order):
        state = step(state, codes[k : k + len(state)], k + 1)
    return state


class Beams(NamedTuple):
    texts: np.ndarray  # [B, n] codes
    scores: np.ndarray  # [B]


def extend(prompt: str, candidates: np.ndarray, table: Counts, bonus: Counts | None, width: int) -> list[str]:
    """The `width` likeliest continuations of `prompt` by 15 characters under a model of order three that is read off
    `table`: P(c | a b) from the counts of abc and ab, backing off to bc and to c; `bonus` adds to an n-gram's score."""
    zero = np.zeros(1, np.uint64)
    single = step(zero, candidates, 1)
    unigram = np.log(table(single) + 0.01)
    beams = Beams(codes_of(prompt)[None], np.zeros(1))
    for _ in range(MORE):
        a, b = beams.texts[:, -2], beams.texts[:, -1]
        of_b = step(zero, b, 1)
        of_ab = step(step(zero, a, 1), b, 2)
        pair = step(of_b[:, None], candidates[None], 2)
        triple = step(of_ab[:, None], candidates[None], 3)
        two, three = table(pair), table(triple)
        score = np.where(
            three > 0,
            np.log(np.maximum(three, 1e-9)) - np.log(table(of_ab) + 1)[:, None],
            np.where(two > 0, np.log(np.maximum(two, 1e-9)) - np.log(table(of_b) + 1)[:, None] - 4, unigram - 16),
        )
        if bonus is not None:
            score = score + np.where(three > 0, bonus(triple), 0) + np.where(two > 0, 0.3 * bonus(pair), 0)
        total = (beams.scores[:, None] + score).ravel()
        best = np.argpartition(-total, min(width, len(total) - 1))[:width]
        row, column = np.divmod(best, len(candidates))
        beams = Beams(np.concatenate([beams.texts[row], candidates[column][:, None]], 1), total[best])
    return ["".join(map(chr, t[len(prompt) :].tolist())) for t in beams.texts]


def recovered(sample: list[str], candidates: np.ndarray, table: Counts, bonus: Counts | None, width: int) -> list[str]:
    """The posts whose next 15 characters stand among the continuations of their first 10."""
    return [
        text for text in sample if text[KNOWN : KNOWN + MORE] in extend(text[:KNOWN], candidates, table, bonus, width)
    ]


@functools.cache
def sample() -> tuple[str, ...]:
    """300 posts that are long enough and say something in these 15 characters."""
    long = sorted({t.lower() for t in training_texts() if len(t) >= KNOWN + MORE})
    long = [t for t in long if len(set(t[KNOWN : KNOWN + MORE])) >= 6]
    chosen = np.random.default_rng(11).permutation(len(long))[:POSTS]
    return tuple(long[i] for i in chosen)


@functools.cache
def vocabulary() -> np.ndarray:
    """Every character of the tokenizer's pieces: what an attacker would try."""
    from tokenizers import Tokenizer

    pieces = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json")).get_vocab()
    return codes_of("".join(sorted({c for piece in pieces for c in piece.lower()})))


class Shipped:
    """What ngrams.npz tells: idf gives the number of posts of a bucket back, up to the rounding of half a float."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as z:
            idf, weights, scale = z["idf"].astype(np.float64), z["weights"], z["scale"]
        self.posts = np.where(idf > 0, np.exp(idf.max() - idf) * 4 - 1, 0)  # the rarest that is kept stands in three
        size = np.sqrt(((weights.astype(np.float32) * scale) ** 2).sum(1))
        self.size = size / max(float(size[idf > 0].std()), 1e-9)

    def __call__(self, states: np.ndarray) -> np.ndarray:
        return self.posts[bucket(states)]

    def weight(self, states: np.ndarray) -> np.ndarray:
        """How much a bucket's weights stand out: words of few posts, all of one label, do."""
        return 0.5 * self.size[bucket(states)]


class Unhashed:
    """The control: the n-grams of the same posts themselves, every one that occurs."""

    def __init__(self, texts: list[str]) -> None:
        every = np.concatenate([states_of(t, n) for t in texts for n in (1, 2, 3)])
        self.states, self.counts = np.unique(every, return_counts=True)

    def __call__(self, states: np.ndarray) -> np.ndarray:
        at = np.minimum(np.searchsorted(self.states, states), len(self.states) - 1)
        return np.where(self.states[at] == states, self.counts[at], 0).astype(np.float64)


def used(candidates: np.ndarray, table: Counts) -> np.ndarray:
    """The candidates that the table knows at all."""
    return candidates[table(step(np.zeros(1, np.uint64), candidates, 1)) > 0]


@pytest.fixture(scope="module")
def weights() -> Path:
    posts()
    if not (WEIGHTS / "ngrams.npz").exists():
        pytest.skip("the shipped weights are not there yet")
    return WEIGHTS / "ngrams.npz"


def test_the_attack_hashes_as_the_model_does() -> None:
    g = grams("不想活了Ab")
    for order in (1, 2, 3):
        assert (bucket(states_of("不想活了Ab", order)) == g.buckets[g.orders == order]).all()
    assert g.buckets.max() < BUCKETS


@pytest.mark.parametrize("how", ["greedy", "beam", "beam with weights"])
def test_the_n_grams_give_no_post_away(weights: Path, how: str) -> None:
    table = Shipped(weights)
    candidates = used(vocabulary(), table)
    assert len(candidates) > 1000
    bonus = table.weight if how == "beam with weights" else None
    assert recovered(list(sample()), candidates, table, bonus, 1 if how == "greedy" else BEAM) == []


def test_the_attack_recovers_posts_where_the_n_grams_are_kept(weights: Path) -> None:
    """Control: the same attack on an open table of all n-grams of the same posts."""
    table = Unhashed([t.lower() for t in training_texts()])
    candidates = used(vocabulary(), table)
    assert len(recovered(list(sample())[:60], candidates, table, None, BEAM)) >= 3
