"""One system against the gold, as it stands in `scores.json` (DESIGN, contract 5):

`{"task", "n", "missing", "unparsed", "metrics": {NAME: {"value", "low", "high"}}, "baselines": {NAME: {…}}, …}`
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mentalglm.errors import UserError

from . import baselines, calibration, compare, decisions, intervals, rouge, score, spans
from .intervals import Interval
from .pair import MISSING, UNPARSED, Gold, System, perfect

FORMAT = "1"
_PERFECT = 1 - 1e-9


class Broken(RuntimeError):
    """A scorer that does not find the gold perfect: a bug, and nothing is scored."""


def check_perfect(gold: Gold) -> None:
    """Runs every scorer on the gold itself. Raises Broken where one does not give all that can be had: the mean over
    classes counts those without gold as 0, as scikit-learn does, and so cannot reach 1 without them."""
    system = perfect(gold)
    if gold.space.kind == "summary":
        found = dict(zip(rouge.METRICS, rouge.metric(rouge.features(gold, system).sum(0)), strict=True))
        if not any(any(one.summary or ()) for one in gold.said):
            raise UserError("the gold has no summary at all", "give gold with summaries")
        wrong = {name: v for name, v in found.items() if v < _PERFECT}
    else:
        wrong = _imperfect(gold, system)
        for unlabelled in (False, True):
            if unfolded := spans.unfold(gold, system, unlabelled):
                wrong |= {f"spans: {name}": v for name, v in _imperfect(*unfolded).items()}
    if wrong:
        raise Broken(f"the gold scored against itself is not perfect: {wrong}")


def _imperfect(gold: Gold, system: System) -> dict[str, float]:
    space = gold.space
    found = score.values(space, gold.labels, system.labels)
    has = gold.labels.sum(0) > 0
    parents = np.array([key in space.parents.values() for key in space.keys])
    share = {
        "macro": has.mean(),
        "parent": has[parents].mean() if parents.any() else 1.0,
        "child": has[~parents].mean() if (~parents).any() else 1.0,
    }
    best: dict[str, float] = {
        name: float(share.get(name.split("_")[0], 1.0))
        if "macro" in name and name[9:] not in ("present", "common")
        else 1.0
        for name in found
    }
    if not has.any():  # nothing to find: precision and recall are 0 by convention
        best = {
            name: v if name in ("samples_f1", "exact_match", "published_formula") else 0.0 for name, v in best.items()
        }
    if space.binary and space.positive:
        positives = gold.labels[:, space.keys.index(space.positive)]
        best |= dict.fromkeys(("f1", "precision", "recall"), float(positives.any()))
        best["specificity"] = float((~positives).any())
    return {name: v for name, v in found.items() if v < best[name] * _PERFECT}


def of_system(gold: Gold, system: System, samples: int = intervals.SAMPLES, seed: int = 0) -> dict[str, Any]:
    """The scores of one system, without the baselines."""
    n = len(gold.ids)
    missing, unparsed = int((system.status == MISSING).sum()), int((system.status == UNPARSED).sum())
    out: dict[str, Any] = {
        "task": gold.space.name,
        "system": system.name,
        "n": n,
        "missing": missing,
        "unparsed": unparsed,
        "unparsed_rate": unparsed / n,
        "abstained": int(system.abstained.sum()),
        "problems": system.problems.listed(),
    }
    if gold.space.kind == "summary":
        out["metrics"] = _summaries(gold, system, samples, seed)
        return out
    out |= labels(gold, system, samples, seed)
    if gold.space.kind == "sentence":
        out["protocols"] = {}
        for name, unlabelled in (("labelled_spans", False), ("sentences", True)):
            if unfolded := spans.unfold(gold, system, unlabelled):
                out["protocols"][name] = {"n": len(unfolded[0].ids)} | labels(*unfolded, samples, seed)
    if system.p is not None:
        out["calibration"] = _calibration(gold, system, samples, seed)
    if gold.space.name == "suicide_risk":
        out["decisions"] = _risk(gold, system, samples, seed, out["metrics"]["recall"])
    return out


def labels(gold: Gold, system: System, samples: int, seed: int, trivial: bool = False) -> dict[str, Any]:
    """`metrics` and `per_class` of labels. trivial: what the system gives hangs on no post, and a value that no sample
    moves is certain."""
    space = gold.space

    def of(at: np.ndarray) -> np.ndarray:
        return score.features(space, gold.labels[at], system.labels[at], system.failed[at])

    given = intervals.cells(of, [gold.labels, system.labels, system.failed], gold.groups)
    drawn = intervals.resampled(given, samples, seed) if samples else None
    sums = given.sums
    found: list[dict[str, Any]] = []
    for table in (score.metrics(space, sums), score.class_metrics(space, sums)):
        raw = intervals.bca(given, table.of, samples, seed, drawn=drawn)
        trials = np.full(len(raw), np.inf) if trivial else np.minimum(table.trials, given.units)
        settled = intervals.settle(raw, table.support, trials)
        found.append(dict(zip(table.names, settled, strict=True)))
    at = score.Layout(len(space.keys))
    positives = sums[at.tp] + sums[at.fn]
    few = [key for key, n in zip(space.keys, positives, strict=True) if n < score.FEW]
    for name in found[0]:
        if few and "macro" in name and not name.endswith("common"):
            found[0][name] = found[0][name]._replace(note=f"{len(few)} classes have under {score.FEW} positives")
    said = sums[at.tp] + sums[at.fp]
    per_class = {
        key: {
            "positives": int(positives[c]),
            "given": int(said[c]),
            **{name: found[1][f"{key}.{name}"] for name in ("precision", "recall", "f1")},
        }
        for c, key in enumerate(space.keys)
    }
    return {"metrics": found[0], "per_class": per_class}


def of_baselines(gold: Gold, samples: int, seed: int) -> dict[str, Any]:
    """The trivial systems: name → {metric: {value, low, high}}."""
    out: dict[str, Any] = {}
    for name, said in baselines.trivial(gold).items():
        system = System(name, np.zeros(len(said), np.int8), said, None, np.zeros(len(said), bool), [], gold.problems)
        out[name] = labels(gold, system, samples, seed, trivial=True)["metrics"]
    return out


def _summaries(gold: Gold, system: System, samples: int, seed: int) -> dict[str, Interval]:
    given = compare.summary_cells(gold, [system])
    found = intervals.bca(given, rouge.metric, samples, seed)
    pairs, sums = float(given.sums[3]), given.sums
    support = np.array([pairs] * 3 + [float(sums[4] + sums[6])] * 3)
    return dict(zip(rouge.METRICS, intervals.settle(found, support, support), strict=True))


def _calibration(gold: Gold, system: System, samples: int, seed: int) -> dict[str, Any]:
    """Of the posts that have probabilities: how many these are stands beside."""
    space = gold.space
    assert system.p is not None
    rows = np.flatnonzero(~np.isnan(system.p[:, 0]))
    p, y = system.p[rows], gold.labels[rows].astype(float)
    groups = None if gold.groups is None else np.unique(gold.groups[rows], return_inverse=True)[1]
    said = system.labels[rows]
    # how sure a system is of its whole answer, labels of a post taken as independent
    sure = (np.where(said, p, 1) if space.kind == "single" else np.where(said, p, 1 - p)).prod(1)
    if space.binary and space.positive:
        c = space.keys.index(space.positive)
        p, y = p[:, [c]], y[:, [c]]
    out = calibration.summary(p, y, groups, samples, seed)
    curve = decisions.risk_coverage(sure, (said != gold.labels[rows]).any(1))
    out["risk_coverage"] = curve._asdict()
    out["left_out"] = len(gold.ids) - len(rows)
    out["population"] = {"prevalence": float(y.mean()), "n": len(rows), "text": space.population}
    if space.name == "suicide_risk":
        out["net_benefit"] = decisions.net_benefit(p[:, 0], y[:, 0], groups, samples, seed)
    return out


def _risk(gold: Gold, system: System, samples: int, seed: int, recall: Interval) -> dict[str, Any]:
    """The gate on the recall of high, also with a person reading what was abstained on, and the predictive values."""
    c = gold.space.keys.index("high")
    high = gold.labels[:, c]
    said = np.where(system.failed, ~high, system.labels[:, c])
    caught = said | (system.abstained & ~system.failed)
    found = intervals.bca(
        intervals.cells(
            lambda at: np.stack([high[at] & caught[at], high[at]], 1).astype(float), [high, caught], gold.groups
        ),
        lambda s: score.ratio(s[..., :1], s[..., 1:2]),
        samples,
        seed,
    )
    positives = np.array([float(high.sum())])
    return {
        "gate": decisions.gate(recall),
        "recall_high_or_abstained": intervals.settle(found, positives, positives)[0],
        "predictive_values": decisions.predictive_values(said, high, gold.groups, samples, seed),
        "prevalence_here": float(high.mean()),
    }


def everything(
    gold: Gold, systems: dict[str, list[System]], samples: int = intervals.SAMPLES, seed: int = 0
) -> dict[str, Any]:
    """The whole of `scores.json`: the first system at the top, in the contract's form; all under `systems`, their
    comparisons, and how far the seeds of a system lie apart. The scorers are run on the gold first."""
    check_perfect(gold)
    scored = {name: [of_system(gold, s, samples, seed) for s in runs] for name, runs in systems.items()}
    first = next(iter(scored.values()))[0]
    out: dict[str, Any] = {**first, "baselines": of_baselines(gold, samples, seed)}
    out["gold"] = {
        "classes_without_gold": gold.absent,
        "groups": None if gold.groups is None else int(gold.groups.max()) + 1,
        "synthetic": gold.synthetic,
        "problems": gold.problems.listed(),
    }
    out["samples"], out["seed"], out["format"] = samples, seed, FORMAT
    if sum(map(len, scored.values())) > 1:
        out["systems"] = {name: runs if len(runs) > 1 else runs[0] for name, runs in scored.items()}
        out["comparisons"] = compare.all_pairs(gold, systems, samples, seed)
    seeds = {name: _spread(runs) for name, runs in scored.items() if len(runs) > 1}
    if seeds:
        out["seeds"] = seeds
    return plain(out)


def _spread(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: compare.spread([run["metrics"][name].value for run in runs])._asdict()
        for name in runs[0]["metrics"]
        if all(name in run["metrics"] for run in runs)
    }


def plain(value: Any) -> Any:
    """For JSON: intervals as objects, NaN as null, numbers to six digits after the point."""
    if isinstance(value, Interval):
        out = {"value": value.value, "low": value.low, "high": value.high}
        return plain(out | ({"note": value.note} if value.note else {}))
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else round(float(value), 6)
    return value
