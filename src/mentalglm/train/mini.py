"""Training the embedded model: one fit on everything, then one a fold for the figures and the calibration.

Each fit leaves its file in the run folder and is skipped when it is there, so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mentalglm.train import corpus, e5, linear, pairs, tensors
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
        self.families = [e.family for e in self.examples]
        self.warm: dict[str, dict[str, Tensor]] | None = None
        self.states: list[Tensor] = []

    def start_from(self, warm: Path | None) -> None:
        """Every fit begins with the weights in `warm` (None: those of the base); keeps the states of the frozen layers."""
        self.warm = torch.load(warm, weights_only=True) if warm else None
        self.states = frozen_states(self.start()[0], self.data, self.recipe.encoder.trained)

    def start(self) -> tuple[Encoder, ReadOut]:
        encoder, read_out = self.encoder(), ReadOut(self.base.config["hidden"])
        if self.warm is not None:
            encoder.load_state_dict(self.warm["encoder"])
            read_out.load_state_dict(self.warm["read_out"])
        return encoder, read_out

    def encoder(self) -> Encoder:
        return load_base(self.base, self.kept, self.recipe.encoder.layers)

    def contrast(self) -> list[int]:
        """The posts of the warm start."""
        return [i for i, e in enumerate(self.examples) if corpus.WARM in e.sources]

    def rows(self, fold: int | None) -> tuple[list[int], list[int]]:
        """Indices to train on and to predict; without a fold, everything and nothing."""
        every = range(len(self.examples))
        if fold is None:
            return list(every), []
        held = [i for i in every if self.examples[i].fold == fold]
        return [i for i in every if self.examples[i].fold != fold], held


def warm_start(p: Prepared, out: Path, say: Callable[[str], None]) -> Path | None:
    """Writes `warm.pt`, the whole encoder tuned on the contrast pairs alone; None where the recipe wants none."""
    path, w = out / "warm.pt", p.recipe.warm
    if not w.epochs:
        return None
    if not path.exists():
        layers = len(p.recipe.encoder.layers)
        encoder, read_out = p.start()
        plan = Plan(layers, w.epochs, w.batch, w.rate, seed=p.recipe.seed, decay=w.decay)
        rows = p.contrast()
        states = frozen_states(encoder, p.data, layers)
        held = corpus.contrast_validation(corpus.INVENTED_FOLDER)
        asked = tensors.of_examples(held, p.tokenizer, p.recipe.data.max_tokens)
        asked_states = frozen_states(encoder, asked, layers)
        scores: list[dict[str, Any]] = []

        def epoch(line: str) -> None:
            posts, _ = predict(encoder, read_out, asked, asked_states, range(len(held)), layers)
            found = pairs.both_right(map(pairs.of_network, held, posts))
            scores.append({k: found[k] for k in ("both_right", "by_kind")})
            say(f"warm start: {line}; both right on {found['both_right']:.0%} of the pairs kept out")

        fit(encoder, read_out, p.data, states, rows, plan, epoch, p.families)
        write_json(out / "warm.json", {"pairs_kept_out": len(held) // 2, "by_epoch": scores})
        part = path.with_suffix(".part")
        torch.save({"encoder": encoder.state_dict(), "read_out": read_out.state_dict()}, part)
        part.rename(path)
    return path


def network_file(out: Path, fold: int | None) -> Path:
    return out / ("network-all.pt" if fold is None else f"network-{fold}.npz")


def ngrams_file(out: Path, fold: int | None) -> Path:
    return out / ("ngrams-all.npz" if fold is None else f"ngrams-{fold}.npz")


def fit_network(p: Prepared, fold: int | None, out: Path, say: Callable[[str], None]) -> None:
    """Writes `network-all.pt` or `network-K.npz` (logits of the held fold) into `out`."""
    path = network_file(out, fold)
    if path.exists():
        return
    f = p.recipe.fit
    plan = Plan(p.recipe.encoder.trained, f.epochs, f.batch, f.rate, seed=p.recipe.seed, decay=f.decay)
    encoder, read_out = p.start()
    train, held = p.rows(fold)
    name = "all" if fold is None else f"fold {fold}"
    halved = frozenset(p.contrast() if p.recipe.warm.epochs else ())  # they had their epochs before
    fit(encoder, read_out, p.data, p.states, train, plan, lambda line: say(f"{name}: {line}"), p.families, halved)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        if fold is None:
            torch.save({"encoder": encoder.state_dict(), "read_out": read_out.state_dict()}, file)
        else:
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
    path = ngrams_file(out, fold)
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
