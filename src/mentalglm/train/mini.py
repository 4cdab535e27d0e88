"""Training the embedded model: one fit on everything, then one a fold for the figures and the calibration.

Each fit leaves its file in the run folder and is skipped when it is there, so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mentalglm.train import corpus, e5, linear, tensors
from mentalglm.train.fit import Plan, fit, frozen_states, predict
from mentalglm.train.net import CHILDREN, COLUMNS, OUTPUTS, Encoder, ReadOut, columns, load_base
from mentalglm.train.pieces import tokenizer_of
from mentalglm.train.recipe import Recipe

POST_COLUMNS = COLUMNS - OUTPUTS["psy"]  # `psy` is last, and only helps the training


class Prepared:
    """What every fit of a recipe shares: examples with folds, their tensors, the frozen states, n-gram rows."""

    def __init__(self, recipe: Recipe, folder: Path | None, say: Callable[[str], None]) -> None:
        self.recipe = recipe
        self.examples = corpus.collect(recipe.data.sets, folder, recipe.data.ordinary, recipe.seed)
        corpus.group(self.examples)
        corpus.assign_folds(self.examples, recipe.fit.folds, recipe.seed)
        base = e5.read(e5.find_file())
        self.kept = e5.keep_for_chinese(base.pieces)
        self.base = base
        self.tokenizer = tokenizer_of([base.pieces[i] for i in self.kept])
        self.data = tensors.of_examples(self.examples, self.tokenizer, recipe.data.max_tokens)
        say(f"{len(self.examples)} posts, {sum(map(len, self.data.ids))} tokens")
        self.states = frozen_states(self.encoder(), self.data, recipe.encoder.trained)
        say("states of the frozen layers are ready")

    def encoder(self) -> Encoder:
        return load_base(self.base, self.kept, self.recipe.encoder.layers)

    def rows(self, fold: int | None) -> tuple[list[int], list[int]]:
        """Indices to train on and to predict; without a fold, everything and nothing."""
        every = range(len(self.examples))
        if fold is None:
            return list(every), []
        held = [i for i in every if self.examples[i].fold == fold]
        return [i for i in every if self.examples[i].fold != fold], held


def fit_network(p: Prepared, fold: int | None, out: Path, say: Callable[[str], None]) -> None:
    """Writes `network-all.pt` or `network-K.npz` (logits of the held fold) into `out`."""
    path = out / ("network-all.pt" if fold is None else f"network-{fold}.npz")
    if path.exists():
        return
    f = p.recipe.fit
    plan = Plan(p.recipe.encoder.trained, f.epochs, f.batch, f.rate, seed=p.recipe.seed)
    encoder, read_out = p.encoder(), ReadOut(p.base.config["hidden"])
    train, held = p.rows(fold)
    name = "all" if fold is None else f"fold {fold}"
    fit(encoder, read_out, p.data, p.states, train, plan, lambda line: say(f"{name}: {line}"))
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        if fold is None:
            torch.save({"encoder": encoder.state_dict(), "read_out": read_out.state_dict()}, file)
        else:
            torch.save({"encoder": encoder.state_dict(), "read_out": read_out.state_dict()}, out / f"network-{fold}.pt")
            posts, children = predict(encoder, read_out, p.data, p.states, held, plan.trained)
            flat = np.concatenate(children) if children else np.zeros((0, CHILDREN), np.float32)
            np.savez(file, rows=np.array(held), posts=posts, children=flat)
    part.rename(path)


def sentence_rows(p: Prepared) -> tuple[list[int], list[str], np.ndarray]:
    """Every sentence with known pathway labels: its example, its text, its labels [S, K], in the order of the tensors."""
    owner, texts, labels = [], [], []
    for i, e in enumerate(p.examples):
        known = [s for s in e.sentences if s[2] is not None]
        # the tensors leave out sentences beyond the last token; they stand at the end
        for (start, end, _), row in zip(known, p.data.children[i], strict=False):
            owner.append(i)
            texts.append(e.text[start:end])
            labels.append(row)
    return owner, texts, np.array(labels, np.float32).reshape(len(labels), CHILDREN)


def fit_ngrams(p: Prepared, fold: int | None, out: Path) -> None:
    """Writes `ngrams-all.npz` (the packed weights) or `ngrams-K.npz` (logits of the held fold) into `out`."""
    path = out / ("ngrams-all.npz" if fold is None else f"ngrams-{fold}.npz")
    if path.exists():
        return
    train, held = p.rows(fold)
    texts = [e.text for e in p.examples]
    owner, sentences, labels = sentence_rows(p)
    chosen = set(train)
    own = [k for k, i in enumerate(owner) if i in chosen]
    seen = [texts[i] for i in train]
    idf = linear.inverse_frequency(linear.document_frequency(seen), len(seen))
    strength = p.recipe.fit.ngram_strength
    x = linear.matrix(seen, idf)
    w, b = linear.fit(x, p.data.targets[train][:, :POST_COLUMNS], strength)
    xs = linear.matrix([sentences[k] for k in own], idf)
    ws, bs = linear.fit(xs, labels[own], strength)
    packed = linear.pack(np.concatenate([w, ws], 1), np.concatenate([b, bs]), idf)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        if fold is None:
            np.savez_compressed(
                file, weights=packed.weights, scale=packed.scale, bias=packed.bias, idf=packed.idf.astype(np.float16)
            )
        else:
            hidden = set(held)
            posts = np.array([packed.score(texts[i])[:POST_COLUMNS] for i in held], np.float32)
            children = [packed.score(t)[POST_COLUMNS:] for i, t in zip(owner, sentences, strict=True) if i in hidden]
            np.savez(file, rows=np.array(held), posts=posts, children=np.array(children, np.float32))
    part.rename(path)


def out_of_fold(p: Prepared, out: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Network and n-gram logits of every post [N, C'] and sentence [S, K], each from the fit that did not see it."""
    n = len(p.examples)
    e, g = np.full((n, POST_COLUMNS), np.nan), np.full((n, POST_COLUMNS), np.nan)
    owner, _, labels = sentence_rows(p)
    owners = np.array(owner)
    es, gs = np.full(labels.shape, np.nan), np.full(labels.shape, np.nan)
    for fold in range(p.recipe.fit.folds):
        network, ngrams = np.load(out / f"network-{fold}.npz"), np.load(out / f"ngrams-{fold}.npz")
        rows = network["rows"]
        e[rows], g[rows] = network["posts"][:, :POST_COLUMNS], ngrams["posts"]
        here = np.isin(owners, rows)
        es[here], gs[here] = network["children"], ngrams["children"]
    return e, g, es, gs


def corpus_summary(p: Prepared) -> dict[str, object]:
    """How many posts came from where; goes into the run's counts."""
    sources: dict[str, int] = {}
    for e in p.examples:
        for s in e.sources:
            sources[s] = sources.get(s, 0) + 1
    risk = p.data.targets[:, columns("risk")]
    return {"posts": len(p.examples), "sources": sources, "with_risk": int((~np.isnan(risk)).sum())}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
