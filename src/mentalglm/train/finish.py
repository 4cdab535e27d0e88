"""The end of a training run: calibration on out-of-fold logits, cross-fitted figures, and the files that ship."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mentalglm.models.mini.decide import ANY, ATTEMPT, CHILDREN, COLUMNS, DISTORTION, LEVEL, RISK, SUBJECT
from mentalglm.train import decide, graph
from mentalglm.train.mini import POST_COLUMNS, Prepared, out_of_fold, sentence_rows, write_json
from mentalglm.train.net import COLUMNS as TRAINED_COLUMNS
from mentalglm.train.net import ReadOut

assert POST_COLUMNS == COLUMNS


def calibration(p: Prepared, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The constants that ship, and the cross-fitted probabilities that figures are made from (arrays by name)."""
    e, g, es, gs = out_of_fold(p, out)
    y = p.data.targets[:, :COLUMNS]
    owner, _, labels = sentence_rows(p)
    fold = np.array([x.fold for x in p.examples])
    of = _sources(p)
    # a column is calibrated where its probability is meant to hold: risk and distortions on their own sets
    use = np.zeros_like(y, bool)
    hl, cd = _first(of, "sos_hl_1k", "hard"), _first(of, "socialcd_3k", "rare")
    use[:, RISK] = hl
    use[:, LEVEL] = (of["sos_4k"] | of["hard"])[:, None]
    use[:, SUBJECT] = (of["hard"] | of["sos_4k"] | of["ordinary_weibo"])[:, None]
    use[:, ATTEMPT] = of["hard"] | of["sos_4k"]
    use[:, ANY] = cd | of["hard"] | of["ordinary_weibo"]
    use[:, DISTORTION] = cd[:, None]
    synthetic = of["pathway_synthetic"][np.array(owner, int)]
    partners = decide.risk_partners()
    sentence_fold = fold[np.array(owner, int)]
    use_s = np.repeat(synthetic[:, None], CHILDREN, 1)

    z, zs = np.zeros_like(e), np.zeros_like(es)
    for k in range(p.recipe.fit.folds):
        train, held = fold != k, fold == k
        z[held] = decide.fit_stack(e[train], g[train], y[train], use[train], partners).apply(e[held], g[held])
        train, held = sentence_fold != k, sentence_fold == k
        stack = decide.fit_stack(es[train], gs[train], labels[train], use_s[train], {})
        zs[held] = stack.apply(es[held], gs[held])
    whole = decide.fit_stack(e, g, y, use, partners)
    children = decide.fit_stack(es, gs, labels, use_s, {})

    prob, prob_s = decide.sigmoid(z), decide.sigmoid(zs)
    threshold = decide.best_threshold(prob[hl, RISK], y[hl, RISK])
    unsure, _ = decide.abstention(prob[hl, RISK], y[hl, RISK], threshold, p.recipe.decide.miss_target)
    read = _network(out)["read_out"]
    constants: dict[str, Any] = {
        "name": p.recipe.name,
        "read_bias": _list(read["bias"].numpy()[:COLUMNS]),
        "child_read_bias": _list(read["child_bias"].numpy()),
        "network": [_list(row) for row in whole.network],
        "grams": [_list(row) for row in whole.grams],
        "bias": _list(whole.bias),
        "child_network": _list(np.diag(children.network)),
        "child_grams": _list(np.diag(children.grams)),
        "child_bias": _list(children.bias),
        "risk": {
            "threshold": threshold,
            "unsure_from": unsure,
            "prevalence": float(y[hl, RISK].mean()),
            "miss_target": p.recipe.decide.miss_target,
            "recall_table": decide.recall_table(prob[hl, RISK], y[hl, RISK], fold[hl]),
        },
        "distortion_thresholds": _list(decide.label_thresholds(prob[cd][:, DISTORTION], y[cd][:, DISTORTION])),
        "any_threshold": decide.any_threshold(prob[cd, ANY]),
        "child_thresholds": _list(decide.label_thresholds(prob_s[synthetic], labels[synthetic])),
        "attempt_threshold": 0.5,
    }
    # just under the threshold `mini` is not sure whether there is any distortion
    constants["distortion_unsure"] = [0.6 * constants["any_threshold"], constants["any_threshold"]]
    arrays = {
        "post": prob, "post_logits": z, "network": e, "ngrams": g, "sentences": prob_s, "sentence_labels": labels,
        "targets": y, "owner": np.array(owner), "fold": fold, "synthetic": synthetic,
        "child_network": es, "child_ngrams": gs,
    }  # fmt: skip
    return constants, {**arrays, **{f"is_{k}": v for k, v in of.items()}}


def keep_predictions(p: Prepared, arrays: dict[str, Any], path: Path) -> None:
    """Cross-fitted probabilities [N, C] of every post that has a fold, with its content key, fold and targets: what an
    evaluation may use for posts that the shipped weights were trained on. No text."""
    rows = np.flatnonzero(arrays["fold"] >= 0)
    np.savez_compressed(
        path,
        keys=np.array([p.examples[i].key for i in rows]),
        fold=arrays["fold"][rows].astype(np.int16),
        probabilities=arrays["post"][rows].astype(np.float32),
        targets=arrays["targets"][rows].astype(np.float32),
    )


def _first(of: dict[str, np.ndarray], *names: str) -> np.ndarray:
    """The posts of the first of these sets that the recipe has."""
    return next(of[name] for name in names if of[name].any())


def _sources(p: Prepared) -> dict[str, np.ndarray]:
    """The posts of each set that have a prediction out of fold: those without a fold every fit has seen."""
    names = ("sos_hl_1k", "sos_4k", "socialcd_3k", "psysuicide", "ordinary_weibo", "hard", "rare", "pathway_synthetic")
    return {name: np.array([name in e.sources and e.fold >= 0 for e in p.examples]) for name in names}


def _network(out: Path) -> dict[str, Any]:
    return torch.load(out / "network-all.pt", weights_only=True)


def _list(values: np.ndarray) -> list[float]:
    return [float(f"{v:.6g}") for v in np.asarray(values, np.float64)]


def export(p: Prepared, out: Path, constants: dict[str, Any], folder: Path, bits: int = 8) -> None:
    """Writes the model's files into `folder`: encoder.onnx, tokenizer.json, ngrams.npz, calibration.json, checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder, read_out = p.encoder(), ReadOut(p.base.config["hidden"])
    state = _network(out)
    encoder.load_state_dict(state["encoder"])
    read_out.load_state_dict(state["read_out"])
    c, t = COLUMNS, TRAINED_COLUMNS
    keep = [*range(c), *range(t, t + c), *range(2 * t, 2 * t + c), *range(3 * t, 3 * t + 2 * CHILDREN)]
    graph.write(encoder, read_out.token.weight.detach().numpy()[keep], folder / "encoder.onnx", bits)
    p.tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    shutil.copyfile(out / "ngrams-all.npz", folder / "ngrams.npz")
    write_json(folder / "calibration.json", constants)
    seal(folder)


def seal(folder: Path) -> None:
    """checksums.json over the model's files; the card is not among them."""
    names = ("encoder.onnx", "tokenizer.json", "ngrams.npz", "calibration.json")
    write_json(folder / "checksums.json", {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names})
