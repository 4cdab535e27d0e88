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
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Protocol

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


def invented_texts() -> list[str]:
    from mentalglm.train import corpus

    return [e.text for e in corpus.invented(corpus.INVENTED_FOLDER)]


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


class Table(Protocol):
    """What a file tells about n-grams, for arrays of hash states."""

    def log(self, states: np.ndarray) -> np.ndarray:
        """The logarithm of the number of posts that they stand in; -inf for none."""
        ...

    def weight(self, states: np.ndarray) -> np.ndarray:
        """How much their weights stand out: words of few posts, all of one label, do."""
        ...


_M = np.uint64(0x9E3779B97F4A7C15)
ZERO = np.zeros(1, np.uint64)


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


class Attacker:
    """Extends a post by the likeliest characters under a model of order three that is read off `table`.

    P(c | a b) comes from the counts of abc and ab, and backs off to bc. Where hashing lets n-grams share a bucket the
    smallest count is the truest: abc cannot stand in more posts than ab or bc. `bonus` prefers n-grams whose weights
    stand out.
    """

    def __init__(self, table: Table, candidates: np.ndarray, bonus: float = 0) -> None:
        self.table, self.bonus = table, bonus
        singles = table.log(step(ZERO, candidates, 1))
        self.candidates, self.singles = candidates[singles > -np.inf], singles[singles > -np.inf]
        self.followers = functools.lru_cache(None)(self._followers)

    def _followers(self, b: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The characters that may follow b: their codes, the counts of b and each, what the pairs' weights add."""
        of_b = step(ZERO, np.array([b], np.uint64), 1)
        pairs = step(of_b, self.candidates, 2)
        counts = np.minimum(self.table.log(pairs), np.minimum(self.singles, self.table.log(of_b)))
        keep = counts > -np.inf
        extra = self.bonus * self.table.weight(pairs[keep]) if self.bonus else np.zeros(int(keep.sum()))
        return self.candidates[keep], counts[keep], extra

    def gets(self, text: str, width: int) -> int:
        """How many of the 15 characters after the first 10 of `text` it gets at most: how long they stay among its
        `width` best. Once they are out, no later step brings them back."""
        codes = codes_of(text[: KNOWN + MORE])
        beams, scores = codes[None, :KNOWN], np.zeros(1)
        for n in range(KNOWN, KNOWN + MORE):
            found = [self.followers(int(b)) for b in beams[:, -1]]
            row = np.repeat(np.arange(len(beams)), [len(f[0]) for f in found])
            new, pair, extra = (np.concatenate(x) for x in zip(*found, strict=True))
            of_b, of_ab = step(ZERO, beams[:, -1], 1), step(step(ZERO, beams[:, -2], 1), beams[:, -1], 2)
            triples = step(of_ab[row], new, 3)
            log_b, log_ab = self.table.log(of_b)[row], self.table.log(of_ab)[row]
            three = np.minimum(np.minimum(self.table.log(triples), pair), log_ab) - np.maximum(log_ab, 0)
            if self.bonus:
                three = three + self.bonus * self.table.weight(triples)
            total = scores[row] + extra + np.maximum(three, pair - np.maximum(log_b, 0) - 4)
            best = np.argsort(-total)[:width]
            beams, scores = np.concatenate([beams[row[best]], new[best][:, None]], 1), total[best]
            if not (beams[:, KNOWN:] == codes[KNOWN : n + 1]).all(1).any():
                return n - KNOWN
        return MORE


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
    """ngrams.npz: idf gives the number of posts of a bucket back, up to the rounding of half a float."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as z:
            idf, weights, scale = z["idf"].astype(np.float32), z["weights"], z["scale"]
        posts = np.where(idf > 0, np.exp(idf.max() - idf) * 4 - 1, 0)  # the rarest that is kept stands in three
        with np.errstate(divide="ignore"):
            self.logs = np.log(posts).astype(np.float32)
        size = np.sqrt(((weights.astype(np.float32) * scale) ** 2).sum(1))
        self.sizes = size / max(float(size[idf > 0].std()), 1e-9)

    def log(self, states: np.ndarray) -> np.ndarray:
        return self.logs[bucket(states)]

    def weight(self, states: np.ndarray) -> np.ndarray:
        return self.sizes[bucket(states)]


class Unhashed:
    """The control: the n-grams of the same posts themselves, every one that occurs."""

    def __init__(self, texts: Sequence[str]) -> None:
        every = np.concatenate([states_of(t, n) for t in texts for n in (1, 2, 3)])
        self.states, counts = np.unique(every, return_counts=True)
        self.logs = np.log(counts)

    def log(self, states: np.ndarray) -> np.ndarray:
        at = np.minimum(np.searchsorted(self.states, states), len(self.states) - 1)
        return np.where(self.states[at] == states, self.logs[at], -np.inf)

    def weight(self, states: np.ndarray) -> np.ndarray:
        return np.zeros(states.shape)


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


def test_the_n_grams_are_numbers_only(weights: Path) -> None:
    with np.load(weights) as z:
        found = {name: (z[name].dtype.str, z[name].shape[0]) for name in z.files}
    columns = found["bias"][1]
    assert found == {
        "weights": ("|i1", BUCKETS), "scale": ("<f4", columns), "bias": ("<f4", columns), "idf": ("<f2", BUCKETS),
    }  # fmt: skip


def test_no_bucket_is_that_of_fewer_than_three_posts(weights: Path) -> None:
    stands = np.zeros(BUCKETS, int)
    for text in [*training_texts(), *invented_texts()]:
        stands[np.unique(grams(text).buckets)] += 1
    with np.load(weights) as z:
        assert stands[z["idf"] > 0].min() >= 3
        assert not z["weights"][z["idf"] == 0].any()


@pytest.mark.parametrize(("width", "bonus"), [(1, 0), (BEAM, 0), (BEAM, 0.5)], ids=["greedy", "beam", "weights"])
def test_the_n_grams_give_no_post_away(weights: Path, width: int, bonus: float) -> None:
    attacker = Attacker(Shipped(weights), vocabulary(), bonus)
    assert len(attacker.candidates) > 1000
    assert max(attacker.gets(text, width) for text in sample()) < MORE


def test_the_attack_recovers_posts_where_the_n_grams_are_kept(weights: Path) -> None:
    """Control: the same attack on open tables of every n-gram, of all the posts and of the attacked ones alone."""
    for texts, found in ((training_texts(), 1), (sample(), 10)):
        attacker = Attacker(Unhashed([t.lower() for t in texts]), vocabulary())
        assert sum(attacker.gets(text, BEAM) == MORE for text in sample()) >= found
