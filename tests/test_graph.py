"""The exported graph is the network, and pooling in numpy is pooling in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mentalglm.models.mini.decide import CHILDREN, COLUMNS
from mentalglm.models.mini.pool import Pooled, pool, sentence, to_characters
from mentalglm.models.mini.reader import open_session

from . import tiny

TEXT_LENGTHS = [3, 17, 40]


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    """The tiny encoder with a read-out that says something, and three inputs padded to one length."""
    tiny.needs_training()
    import torch

    from mentalglm.train.net import ReadOut, load_base

    torch.manual_seed(5)
    base = tiny.base()
    encoder = load_base(base, list(range(len(base.pieces))), list(range(tiny.LAYERS))).eval()
    read_out = ReadOut(tiny.HIDDEN).eval()
    with torch.no_grad():
        read_out.token.weight *= 20
        read_out.bias.normal_()
    rng = np.random.default_rng(2)
    ids = np.ones((len(TEXT_LENGTHS), max(TEXT_LENGTHS)), np.int64)
    mask = np.zeros(ids.shape, np.int32)
    for row, n in enumerate(TEXT_LENGTHS):
        ids[row, :n] = [0, *rng.integers(4, len(base.pieces), n - 2), 2]
        mask[row, :n] = 1
    return {"encoder": encoder, "read_out": read_out, "ids": ids, "mask": mask}


def scores_of(parts: dict[str, Any], path: Path, bits: int, embedding_bits: int, **feed: np.ndarray) -> np.ndarray:
    from mentalglm.train import graph

    if not path.exists():
        graph.write(parts["encoder"], parts["read_out"].token.weight.detach().numpy(), path, bits, embedding_bits)
    return open_session(path, 1).run(None, {"ids": parts["ids"], "mask": parts["mask"]} | feed)[0]


def torch_scores(parts: dict[str, Any], encoder: Any = None) -> np.ndarray:
    import torch

    with torch.no_grad():
        states = (encoder or parts["encoder"])(torch.from_numpy(parts["ids"]), torch.from_numpy(parts["mask"]).bool())
        return parts["read_out"].token(states).numpy()


def test_in_floats_it_is_the_network(parts, tmp_path: Path) -> None:
    real = parts["mask"] > 0
    ours = scores_of(parts, tmp_path / "float.onnx", 32, 32)[real]
    np.testing.assert_allclose(ours, torch_scores(parts)[real], atol=1e-4)
    assert ours.std() > 0.5


@pytest.mark.parametrize("embedding_bits", [4, 8])
def test_quantised_it_is_the_network_with_rounded_weights(parts, tmp_path: Path, embedding_bits: int) -> None:
    """Exactly that of the weights as they were rounded, and near that of the weights as they were."""
    import copy

    import torch
    from torch import nn

    from mentalglm.train import graph

    real = parts["mask"] > 0
    ours = scores_of(parts, tmp_path / "q.onnx", 8, embedding_bits)[real]
    rounded = copy.deepcopy(parts["encoder"])
    with torch.no_grad():
        back = graph.quantise(rounded.word.weight.numpy(), embedding_bits)[2]
        rounded.word.weight.copy_(torch.from_numpy(back))
        for module in rounded.modules():
            if isinstance(module, nn.Linear):
                scale = module.weight.abs().amax(1, keepdim=True) / 127
                module.weight.copy_((module.weight / scale).round() * scale)
    np.testing.assert_allclose(ours, torch_scores(parts, rounded)[real], atol=2e-4)
    exact = torch_scores(parts)[real]
    error = np.sqrt(((ours - exact) ** 2).mean()) / exact.std()
    assert error < (0.3 if embedding_bits == 4 else 0.03)


def test_the_base_survives_its_own_four_bits() -> None:
    """Weights that were in 4-bit blocks already are kept bit for bit: the word pieces are the package's own."""
    tiny.needs_training()
    from mentalglm.train import graph

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (6, 2, 32))
    codes[..., 0] = 0  # each block has its extreme, as Q4_0 makes it, and a scale of either sign
    scales = rng.uniform(0.01, 0.1, (6, 2, 1)) * rng.choice([-1, 1], (6, 2, 1))
    weight = ((codes - 8) * scales.astype(np.float16)).astype(np.float32).reshape(6, 64)
    np.testing.assert_allclose(graph.quantise(weight, 4)[2], weight, rtol=1e-6)


def test_padding_changes_nothing(parts, tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    padded = scores_of(parts, path, 32, 32)
    for row, n in enumerate(TEXT_LENGTHS):
        alone = {"ids": parts["ids"][row : row + 1, :n], "mask": parts["mask"][row : row + 1, :n]}
        np.testing.assert_allclose(padded[row, :n], scores_of(parts, path, 32, 32, **alone)[0], atol=1e-4)
    other = parts["ids"].copy()
    other[parts["mask"] == 0] = 7  # whatever stands under the mask
    real = parts["mask"] > 0
    np.testing.assert_allclose(scores_of(parts, path, 32, 32, ids=other)[real], padded[real], atol=1e-5)


def test_pooling_is_that_of_the_read_out(parts) -> None:
    """Post-level logits and those of two sentences, from token scores alone."""
    import torch

    from mentalglm.train.net import COLUMNS as TRAINED

    read_out, rows = parts["read_out"], tiny.kept_rows(TRAINED)
    mask = torch.from_numpy(parts["mask"]).bool()
    segments = torch.zeros(len(TEXT_LENGTHS), 2, max(TEXT_LENGTHS))
    segments[:, 0, 1:2] = 1
    segments[1:, 1, 2:9] = 1
    with torch.no_grad():
        states = parts["encoder"](torch.from_numpy(parts["ids"]), mask)
        post, child = (x.numpy() for x in read_out(states, mask, segments))
        scores = read_out.token(states).numpy()[..., rows]
    bias = read_out.bias.detach().numpy()[:COLUMNS]
    child_bias = read_out.child_bias.detach().numpy()
    for row, n in enumerate(TEXT_LENGTHS):
        pooled = pool(scores[row, :n], bias, CHILDREN)
        np.testing.assert_allclose(pooled.post, post[row, :COLUMNS], atol=1e-4)
        np.testing.assert_allclose(bias + pooled.tokens.sum(0), pooled.post, atol=1e-5)
        for s in range(2):
            inside = segments[row, s, :n].numpy() > 0
            logits, tokens = sentence(pooled, inside, child_bias)
            np.testing.assert_allclose(logits, child[row, s], atol=1e-4)
            np.testing.assert_allclose(child_bias + pooled.whole + tokens.sum(0), logits, atol=1e-5)


def test_pooling_needs_no_torch() -> None:
    rng = np.random.default_rng(0)
    pooled: Pooled = pool(
        rng.normal(size=(5, 3 * COLUMNS + 2 * CHILDREN)).astype(np.float32), np.ones(COLUMNS), CHILDREN
    )
    np.testing.assert_allclose(1 + pooled.tokens.sum(0), pooled.post, atol=1e-5)
    large = np.full((2, 3 * COLUMNS + 2 * CHILDREN), 1e4, np.float32)
    assert np.isfinite(pool(large, np.zeros(COLUMNS), CHILDREN).post).all()


def test_tokens_are_spread_evenly_over_their_characters() -> None:
    tokens = np.array([[8.0], [3.0], [6.0], [4.0]], np.float32)
    spans = np.array([[0, 0], [10, 13], [13, 15], [14, 18]])
    out = to_characters(tokens, spans, 10, 6)[:, 0]
    # the first token has no characters; the last stands half outside, and gives what it has to those inside
    assert out.tolist() == [1, 1, 1, 3, 5, 2]
    assert to_characters(tokens, spans, 10, 0).shape == (0, 1)
