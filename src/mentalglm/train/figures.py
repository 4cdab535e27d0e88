"""The figures of a training run, from cross-fitted predictions alone: nothing here sees a prediction for a training post."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from sklearn.pipeline import make_pipeline

from mentalglm.models.mini.decide import (
    ANY,
    DISTORTION,
    LEVEL,
    LEVEL_STEP,
    RISK,
    SUBJECT,
    SUBJECTS,
    contradicts,
    subject_of,
)
from mentalglm.train import decide
from mentalglm.train.corpus import DISTORTIONS, PATHWAY, Example

DRAWS = 1000
COMMON = 56 / 2720  # share of the posts that stands for 14 in the published test part


def interval(score: Callable[[np.ndarray], float], n: int, seed: int = 0) -> dict[str, float]:
    """`score(rows)` on all rows with a 95 % percentile bootstrap interval over posts."""
    rng = np.random.default_rng(seed)
    drawn = np.sort([score(rng.integers(0, n, n)) for _ in range(DRAWS)])
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return {"value": float(score(np.arange(n))), "low": float(low), "high": float(high)}


def f1(said: np.ndarray, y: np.ndarray) -> float:
    return float(2 * (said & (y > 0)).sum() / max(said.sum() + y.sum(), 1))


def risk(a: dict[str, Any], constants: dict[str, Any], miss_target: float) -> dict[str, Any]:
    """Risk on the posts of SOS-HL-1K; the thresholds of a fold come from the other folds."""
    rows = np.flatnonzero(a["is_sos_hl_1k"])
    p, y, fold = a["post"][rows, RISK], a["targets"][rows, RISK], a["fold"][rows]
    said, low = np.zeros(len(rows), bool), np.zeros(len(rows))
    for k in np.unique(fold):
        train = fold != k
        t = decide.best_threshold(p[train], y[train])
        said[~train] = p[~train] >= t
        low[~train] = decide.abstention(p[train], y[train], t, miss_target)[0]
    level, subject = _levels(a["post"][rows]), a["post_logits"][rows][:, SUBJECT]
    torn = [contradicts(bool(h), int(n), subject_of(z, int(n))) for h, n, z in zip(said, level, subject, strict=True)]
    sure = (said | (p < low)) & ~np.array(torn, bool)
    n = len(rows)
    out = {
        "n": n,
        "f1": interval(lambda r: f1(said[r], y[r]), n),
        "auc": interval(lambda r: float(roc_auc_score(y[r], p[r])), n),
        "f1_at_half": f1(p >= 0.5, y),
        "trivial_f1": f1(np.ones(n, bool), y),
        "recall": float(said[y > 0].mean()),
        "precision": float(y[said].mean()),
        "miss_target": miss_target,
        "coverage": interval(lambda r: float(sure[r].mean()), n),
        "miss_rate_covered": interval(lambda r: _miss(said[r], y[r], sure[r]), n),
        "f1_covered": f1(said[sure], y[sure]),
        "calibration": decide.summary(p, y),
        "calibration_intervals": _calibration_intervals(p, y),
        "ece_by_chance": ece_by_chance(p),
        "folds": [f1(said[fold == k], y[fold == k]) for k in np.unique(fold)],
        "conformal": conformal(p, y, fold),
        "ppv_npv": [],
        "halves": {},
    }
    for name, z in (("network", a["network"]), ("ngrams", a["ngrams"])):
        s = z[rows, RISK]
        out["halves"][name] = {"auc": float(roc_auc_score(y, s)), "f1": _crossfit_f1(s, y, fold)}
    for share in (0.001, 0.01, 0.1, 0.48):
        both = {
            key: interval(lambda r, key=key, share=share: _predictive(said[r], sure[r], y[r], share)[key], n)
            for key in ("ppv", "npv")
        }
        out["ppv_npv"].append({"prevalence": share, **both})
    if (severe := a["is_sos_4k"] & (a["targets"][:, LEVEL].sum(1) >= 9)).any():
        t = constants["risk"]["threshold"]
        out["high_at_9_10"] = {"n": int(severe.sum()), "recall": float((a["post"][severe, RISK] >= t).mean())}
    return out


def _levels(p: np.ndarray) -> np.ndarray:
    """The level [N] that the probabilities [N, C] say."""
    return (np.minimum.accumulate(p[:, LEVEL], axis=1) >= LEVEL_STEP).sum(1)


def conformal(p: np.ndarray, y: np.ndarray, fold: np.ndarray, alpha: float = 0.1) -> dict[str, float]:
    """Class-conditional (Mondrian) split conformal sets over {low, high}, calibrated on the other folds (Vovk 2012): how
    many posts of each class have it in their set (1 - alpha is promised), and how many sets hold one label, both, none."""
    holds = np.zeros((len(y), 2), bool)
    for c, of in ((0, 1 - p), (1, p)):
        for k in np.unique(fold):
            scores = np.sort(1 - of[(fold != k) & (y == c)])
            rank = int(np.ceil((len(scores) + 1) * (1 - alpha)))
            limit = scores[rank - 1] if rank <= len(scores) else 1.0
            holds[fold == k, c] = 1 - of[fold == k] <= limit
    size = holds.sum(1)
    return {
        "alpha": alpha,
        "coverage_high": float(holds[y > 0, 1].mean()),
        "coverage_low": float(holds[y == 0, 0].mean()),
        "one": float((size == 1).mean()),
        "both": float((size == 2).mean()),
        "none": float((size == 0).mean()),
    }


def _miss(said: np.ndarray, y: np.ndarray, sure: np.ndarray) -> float:
    high = sure & (y > 0)
    return float((~said[high]).mean()) if high.any() else 0.0


def _crossfit_f1(score: np.ndarray, y: np.ndarray, fold: np.ndarray) -> float:
    said = np.zeros(len(y), bool)
    p = decide.sigmoid(score)
    for k in np.unique(fold):
        said[fold == k] = p[fold == k] >= decide.best_threshold(p[fold != k], y[fold != k])
    return f1(said, y)


def _calibration_intervals(p: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    rng = np.random.default_rng(0)
    rows = [decide.summary(p[r], y[r]) for r in (rng.integers(0, len(y), len(y)) for _ in range(200))]
    keys = ("brier", "log_loss", "slope", "intercept")
    return {k: [float(q) for q in np.quantile([r[k] for r in rows], [0.025, 0.975])] for k in keys}


def ece_by_chance(p: np.ndarray) -> float:
    """The debiased ECE that 95 % of draws stay under when every probability [N] is exactly right: resampling posts would
    count their noise twice."""
    rng = np.random.default_rng(0)
    drawn = [decide.debiased_ece(p, (rng.random(len(p)) < p).astype(float)) for _ in range(400)]
    return float(np.quantile(drawn, 0.95))


def _predictive(said: np.ndarray, sure: np.ndarray, y: np.ndarray, share: float) -> dict[str, float]:
    """PPV of high and NPV of a sure low where a share `share` of posts is high, from the rates among high and low here."""
    high, low = y > 0, y == 0
    sensitivity, false = float(said[high].mean()), float(said[low].mean())
    missed, cleared = float((~said & sure)[high].mean()), float((~said & sure)[low].mean())
    return {
        "ppv": share * sensitivity / max(share * sensitivity + (1 - share) * false, 1e-12),
        "npv": (1 - share) * cleared / max((1 - share) * cleared + share * missed, 1e-12),
    }


def levels(a: dict[str, Any]) -> dict[str, Any]:
    rows = np.flatnonzero(a["is_sos_4k"])
    y = a["targets"][rows][:, LEVEL].sum(1).astype(int)
    said = _levels(a["post"][rows])
    said[(a["post_logits"][rows][:, SUBJECT].argmax(1) == SUBJECTS.index("none")) & (said == 1)] = 0  # as answer.py
    n = len(rows)
    return {
        "n": n,
        "quadratic_kappa": interval(lambda r: float(cohen_kappa_score(y[r], said[r], weights="quadratic")), n),
        "mean_absolute_error": float(np.abs(y - said).mean()),
        "within_one": float((np.abs(y - said) <= 1).mean()),
        "recall_9_10_as_6_up": float((said[y >= 9] >= 6).mean()),
        "recall_9_10_exact": float((said[y >= 9] >= 9).mean()),
        "n_9_10": int((y >= 9).sum()),
    }


def distortions(a: dict[str, Any]) -> dict[str, Any]:
    """Distortions on SocialCD-3K's training part; thresholds of a fold come from the others."""
    rows = np.flatnonzero(a["is_socialcd_3k"])
    p, y, fold = a["post"][rows][:, DISTORTION], a["targets"][rows][:, DISTORTION], a["fold"][rows]
    any_p = a["post"][rows, ANY]
    said = np.zeros_like(y, bool)
    for k in np.unique(fold):
        train = fold != k
        t = decide.label_thresholds(p[train], y[train])
        said[~train] = decide.with_fallback(p[~train], t, any_p[~train], decide.any_threshold(any_p[train]))
    n = len(rows)
    each = 2 * (said & (y > 0)).sum(0) / np.maximum(said.sum(0) + y.sum(0), 1)
    common = y.sum(0) >= COMMON * n
    return {
        "n": n,
        "micro_f1": interval(lambda r: decide.micro_macro(said[r], y[r])[0], n),
        "macro_f1": interval(lambda r: decide.micro_macro(said[r], y[r])[1], n),
        "macro_f1_common": interval(lambda r: decide.micro_macro(said[r][:, common], y[r][:, common])[1], n),
        "common": int(common.sum()),
        "published_formula": published_formula(said, y),
        "none_given": float((~said.any(1)).mean()),
        "per_class": {
            d: {"f1": float(each[j]), "positives": int(y[:, j].sum()), "given": int(said[:, j].sum())}
            for j, d in enumerate(DISTORTIONS)
        },
        "calibration": decide.summary(p.ravel(), y.ravel()),
        "ece_by_chance": ece_by_chance(p.ravel()),
        "trivial": dict(zip(("micro_f1", "macro_f1"), decide.micro_macro(_always(y), y), strict=True)),
        "folds": [decide.micro_macro(said[fold == k], y[fold == k]) for k in np.unique(fold)],
    }


def _always(y: np.ndarray) -> np.ndarray:
    """The trivial system: the most frequent label on every post."""
    said = np.zeros_like(y, bool)
    said[:, int(y.sum(0).argmax())] = True
    return said


def published_formula(said: np.ndarray, y: np.ndarray) -> float:
    """What the published code calls F1: a post's macro-F1 over {0, 1} of its twelve labels, averaged over posts."""
    t = y > 0
    one = 2 * (said & t).sum(1) / np.maximum(said.sum(1) + t.sum(1), 1)
    zero = 2 * (~said & ~t).sum(1) / np.maximum((~said).sum(1) + (~t).sum(1), 1)
    return float(((one + zero) / 2).mean())


def pathway(a: dict[str, Any]) -> dict[str, Any]:
    """Sentences of the synthetic set, by prompt family: micro-F1 over the 19 children."""
    rows = np.flatnonzero(a["synthetic"])
    p, y, fold = a["sentences"][rows], a["sentence_labels"][rows], a["fold"][a["owner"][rows]]
    said = np.zeros_like(y, bool)
    for k in np.unique(fold):
        said[fold == k] = p[fold == k] >= decide.label_thresholds(p[fold != k], y[fold != k])
    n = len(rows)
    each = 2 * (said & (y > 0)).sum(0) / np.maximum(said.sum(0) + y.sum(0), 1)
    return {
        "n": n,
        "micro_f1": interval(lambda r: decide.micro_macro(said[r], y[r])[0], n),
        "macro_f1": interval(lambda r: decide.micro_macro(said[r], y[r])[1], n),
        "per_class": {k: {"f1": float(each[j]), "positives": int(y[:, j].sum())} for j, k in enumerate(PATHWAY)},
        "ngrams_only_micro_f1": _half_micro(a["child_ngrams"][rows], y, fold),
        "network_only_micro_f1": _half_micro(a["child_network"][rows], y, fold),
    }


def _half_micro(z: np.ndarray, y: np.ndarray, fold: np.ndarray) -> float:
    """Micro-F1 of one half alone, calibrated and cut like the whole."""
    said, every = np.zeros_like(y, bool), np.ones_like(y, bool)
    for k in np.unique(fold):
        t = fold != k
        stack = decide.fit_stack(z[t], np.zeros_like(z[t]), y[t], every[t], {})
        p, held = (decide.sigmoid(stack.apply(x, np.zeros_like(x))) for x in (z[t], z[~t]))
        said[~t] = held >= decide.label_thresholds(p, y[t])
    return decide.micro_macro(said, y)[0]


def ordinary(a: dict[str, Any], constants: dict[str, Any]) -> dict[str, Any]:
    """Ordinary posts called high, and given any distortion."""
    rows = np.flatnonzero(a["is_ordinary_weibo"])
    high = a["post"][rows, RISK] >= constants["risk"]["threshold"]
    t = np.array(constants["distortion_thresholds"])
    given = decide.with_fallback(
        a["post"][rows][:, DISTORTION], t, a["post"][rows, ANY], constants["any_threshold"]
    ).any(1)
    return {"n": len(rows), "high": float(high.mean()), "any_distortion": float(given.mean())}


def tfidf(examples: list[Example], a: dict[str, Any]) -> dict[str, Any]:
    """The baseline on the same folds: TF-IDF of character 1- to 4-grams and logistic regression, on each set alone."""

    def system(c: float) -> Any:
        return make_pipeline(
            TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True),
            LogisticRegression(C=c, solver="liblinear"),
        )

    texts = np.array([e.text for e in examples], object)
    rows = np.flatnonzero(a["is_sos_hl_1k"])
    y, fold = a["targets"][rows, RISK], a["fold"][rows]
    p = np.zeros(len(rows))
    for k in np.unique(fold):
        p[fold == k] = system(10).fit(texts[rows[fold != k]], y[fold != k]).predict_proba(texts[rows[fold == k]])[:, 1]
    n = len(rows)
    said = np.zeros(n, bool)
    for k in np.unique(fold):
        said[fold == k] = p[fold == k] >= decide.best_threshold(p[fold != k], y[fold != k])
    risk_out = {
        "f1": interval(lambda r: f1(said[r], y[r]), n),
        "auc": float(roc_auc_score(y, p)),
        "f1_at_half": f1(p >= 0.5, y),
        "folds": [f1(said[fold == k], y[fold == k]) for k in np.unique(fold)],
    }
    rows = np.flatnonzero(a["is_socialcd_3k"])
    ys, fold = a["targets"][rows][:, DISTORTION], a["fold"][rows]
    q = np.zeros_like(ys)
    for k in np.unique(fold):
        for j in range(ys.shape[1]):
            fitted = system(20).fit(texts[rows[fold != k]], ys[fold != k, j])
            q[fold == k, j] = fitted.predict_proba(texts[rows[fold == k]])[:, 1]
    given = np.zeros_like(ys, bool)
    for k in np.unique(fold):
        t = decide.label_thresholds(q[fold != k], ys[fold != k], lowest=0.06)  # what suits the baseline
        given[fold == k] = q[fold == k] >= t
    m = len(rows)
    return {
        "risk": risk_out,
        "distortion": {
            "micro_f1": interval(lambda r: decide.micro_macro(given[r], ys[r])[0], m),
            "macro_f1": interval(lambda r: decide.micro_macro(given[r], ys[r])[1], m),
            "folds": [decide.micro_macro(given[fold == k], ys[fold == k]) for k in np.unique(fold)],
        },
    }


def nadeau_bengio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Corrected resampled t-test on the folds' differences (Nadeau and Bengio 2003): mean, 95 % interval, p."""
    d = np.array(ours) - np.array(theirs)
    k = len(d)
    se = float(np.sqrt((1 / k + 1 / (k - 1)) * d.var(ddof=1)))
    t = float(d.mean()) / max(se, 1e-12)
    half = float(stats.t.ppf(0.975, k - 1)) * se
    mean = float(d.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half, "p": float(2 * stats.t.sf(abs(t), k - 1))}
