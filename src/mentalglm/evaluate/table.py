"""`scores.json` for people: a Markdown table, and a summary in lines. Both hang on the scores alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_COLUMNS = {
    "suicide_risk": ("f1", "precision", "recall", "specificity", "accuracy", "macro_f1"),
    "cognitive_distortion": (
        "micro_f1", "macro_f1", "macro_f1_common", "weighted_f1", "samples_f1", "exact_match", "published_formula"),
    "cognitive_pathway": (
        "hierarchical_precision", "hierarchical_recall", "hierarchical_f1", "macro_f1", "parent_micro_f1", "child_micro_f1",
        "exact_match"),
    "pathway_summary": ("rouge1", "rouge2", "rougeL", "presence_f1"),
}  # fmt: skip
_ENGLISH = ("weighted_f1", "accuracy", "macro_f1")
_WORDS = {
    "f1": "F1", "micro_f1": "micro-F1", "macro_f1": "macro-F1", "macro_f1_common": "macro-F1, classes with 5 or more",
    "weighted_f1": "weighted F1", "samples_f1": "samples F1", "exact_match": "exact match",
    "published_formula": "published formula", "hierarchical_precision": "hierarchical precision",
    "hierarchical_recall": "hierarchical recall", "hierarchical_f1": "hierarchical F1 (micro-F1 of 23)",
    "parent_micro_f1": "parents, micro-F1", "child_micro_f1": "children, micro-F1", "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "presence_f1": "F1 of which parents are there",
}  # fmt: skip
_PROTOCOLS = {"labelled_spans": "labelled spans only", "sentences": "all sentences"}


def number(value: float | None) -> str:
    """A share in percent, one digit after the point."""
    return "–" if value is None else f"{100 * value:.1f}"


def interval(one: dict[str, Any] | None) -> str:
    """`83.5 [81.0, 85.8]`; a dash for bounds that are not given."""
    if one is None:
        return "–"
    if one["low"] is None:
        return f"{number(one['value'])} [–]"
    return f"{number(one['value'])} [{number(one['low'])}, {number(one['high'])}]"


def _plainly(one: dict[str, Any], digits: int = 3) -> str:
    if one["value"] is None:
        return "–"
    if one["low"] is None:
        return f"{one['value']:.{digits}f} [–]"
    return f"{one['value']:.{digits}f} [{one['low']:.{digits}f}, {one['high']:.{digits}f}]"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _runs(scores: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each prediction file with the name of its system; a seed has its number."""
    for name, runs in (scores.get("systems") or {scores["system"]: scores}).items():
        several = isinstance(runs, list)
        for i, one in enumerate(runs if several else [runs], 1):
            yield (f"{name}, seed {i}" if several else name), one


def columns(task: str, metrics: dict[str, Any]) -> list[str]:
    """The metrics that a table shows, of those that there are."""
    wanted = _COLUMNS.get(task, (*(("f1",) if "f1" in metrics else ()), *_ENGLISH))
    return [name for name in wanted if name in metrics]


def markdown(scores: dict[str, Any]) -> str:
    """The tables of an evaluation: systems with the trivial ones beside, classes, comparisons, calibration."""
    task, names = scores["task"], columns(scores["task"], scores["metrics"])
    out = [f"# {task}", "", *_head(scores), ""]
    head = ["system", *(_WORDS.get(n, n) for n in names), "missing", "unparsed"]
    body = [[name, *_cells(one["metrics"], names), *_failed(one)] for name, one in _runs(scores)]
    body += [[f"*{name}* (trivial)", *_cells(one, names), "", ""] for name, one in scores["baselines"].items()]
    out += _table(head, body)
    for key, words in _PROTOCOLS.items():
        rows = [
            [name, str(one["protocols"][key]["n"]), *_cells(one["protocols"][key]["metrics"], names)]
            for name, one in _runs(scores)
            if key in one.get("protocols", {})
        ]
        if rows:
            out += ["", f"## Protocol: {words}", "", *_table(["system", "n", *(_WORDS.get(n, n) for n in names)], rows)]
    for name, spread in scores.get("seeds", {}).items():
        rows = [
            [_WORDS.get(n, n), *(number(spread[n][k]) for k in ("mean", "sd", "low", "high"))]
            for n in names
            if n in spread
        ]
        out += [
            "",
            f"## Seeds of {name}",
            "",
            *_table(["metric", "mean", "standard deviation", "least", "greatest"], rows),
        ]
    if scores.get("comparisons"):
        out += ["", "## Comparisons", "", *_table(
            ["second − first", "metric", "difference", "p", "p, Holm", "McNemar (only first, only second, p Holm)",
             "smallest difference shown"],
            [_comparison(row) for row in scores["comparisons"]])]  # fmt: skip
        least = 2 / (scores["samples"] + 1)
        out += ["", f"On the same posts. p: paired bootstrap, at least {least:.3f} with so many samples; "
                "Holm: corrected for all rows. McNemar: whole answers, one file a system, posts independent; else –. "
                "Smallest difference: found with power 0.8 at 5 % on so many posts."]  # fmt: skip
    for name, one in _runs(scores):
        if "per_class" in one:
            rows = [
                [
                    f"`{key}`",
                    str(c["positives"]),
                    str(c["given"]),
                    *(interval(c[m]) for m in ("precision", "recall", "f1")),
                ]
                for key, c in one["per_class"].items()
            ]
            out += [
                "",
                f"## Classes, {name}",
                "",
                *_table(["class", "gold", "given", "precision", "recall", "F1"], rows),
            ]
        out += [line for block in (_calibration(name, one), _decisions(name, one)) for line in block]
    return "\n".join([*out, "", *_notes(scores)]) + "\n"


def _cells(metrics: dict[str, Any], names: list[str]) -> list[str]:
    return [interval(metrics.get(name)) for name in names]


def _failed(one: dict[str, Any]) -> list[str]:
    return [str(one["missing"]), f"{one['unparsed']} ({number(one['unparsed_rate'])} %)"]


def _comparison(row: dict[str, Any]) -> list[str]:
    test = row["mcnemar"]
    shown = f"{test['only_first']}, {test['only_second']}, {_p(test['p_holm'])}" if test else "–"
    return [
        f"{row['second']} − {row['first']}",
        _WORDS.get(str(row["metric"]), str(row["metric"])),
        interval({"value": row["difference"], "low": row["low"], "high": row["high"]}),
        _p(row["p"]),
        _p(row["p_holm"]),
        shown,
        number(row["smallest_shown"]),
    ]


def _calibration(name: str, one: dict[str, Any]) -> list[str]:
    found = one.get("calibration")
    if not found:
        return []
    curve, where = found["risk_coverage"], found["population"]
    out = ["", f"## Calibration, {name}", ""]
    out += _table(
        ["Brier", "log loss", "slope", "intercept", "ECE", "debiased ECE (by chance)", "AURC (best, chance)"],
        [[
            *(_plainly(found[k]) for k in ("brier", "log_loss", "slope", "intercept")),
            f"{found['ece']:.3f}", f"{found['ece_debiased']:.3f} ({found['ece_by_chance']:.3f})",
            f"{curve['aurc']:.3f} ({curve['best']:.3f}, {curve['chance']:.3f})",
        ]],
    )  # fmt: skip
    out += ["", f"{where['n']} posts with probabilities, {found['left_out']} without; labels hold in "
            f"{number(where['prevalence'])} % here. {where['text']}"]  # fmt: skip
    if "net_benefit" in found:
        rows = [
            [f"{r['threshold']:g}", _plainly(r["net_benefit"]), f"{r['refer_all']:.3f}", f"{number(r['referred'])} %"]
            for r in found["net_benefit"]
        ]
        out += ["", *_table(["refer from", "net benefit", "of referring all", "referred"], rows)]
    return out


def _decisions(name: str, one: dict[str, Any]) -> list[str]:
    found = one.get("decisions")
    if not found:
        return []
    gate = found["gate"]
    rows = [
        [f"{100 * r['prevalence']:g} %", interval(r["ppv"]), interval(r["npv"])] for r in found["predictive_values"]
    ]
    return [
        "",
        f"## Decisions, {name}",
        "",
        f"Recall of high {interval(gate['recall'])}, gate at {number(gate['target'])}: **{gate['verdict']}**. With what it "
        f"abstained on read by a person: {interval(found['recall_high_or_abstained'])}.",
        "",
        *_table(["share that is high", "PPV of high", "NPV of low"], rows),
    ]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    def row(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [row(head), "|---|" + "---:|" * (len(head) - 1), *map(row, rows)]


def _head(scores: dict[str, Any]) -> list[str]:
    groups = scores["gold"]["groups"]
    by = "by post" if groups is None else f"by group ({groups} groups)"
    return [
        f"{scores['n']} posts. In percent, with 95 % intervals from {scores['samples']} bootstrap samples {by} (BCa); [–]: "
        "under five positives, so none. A missing or unparsed prediction is a wrong one."
    ]


def _notes(scores: dict[str, Any]) -> list[str]:
    """Everything that was set aside or found wanting, by name."""
    out: list[str] = []
    if n := scores["gold"]["synthetic"]:
        out.append(
            f"- {n} of the {scores['n']} posts are synthetic: written and reviewed by language models, no clinician"
        )
    if absent := scores["gold"]["classes_without_gold"]:
        out.append(f"- no gold row has {', '.join(absent)}: their F1 counts as 0 in macro-F1")
    for where, problems in (
        ("gold", scores["gold"]["problems"]),
        *((name, one["problems"]) for name, one in _runs(scores)),
    ):
        for x in problems:
            more = ", …" if x["n"] > len(x["examples"]) else ""
            out.append(f"- {where}: {x['n']} {x['what']} ({x['effect']}): {', '.join(x['examples'])}{more}")
    return out


def lines(scores: dict[str, Any]) -> list[str]:
    """What the command says: a line a system and a trivial one, the comparisons, and what was wrong with the files."""
    names = columns(scores["task"], scores["metrics"])[:4]
    out = [f"{scores['task']}: {scores['n']} posts, 95 % intervals from {scores['samples']} bootstrap samples"]

    def said(metrics: dict[str, Any]) -> str:
        return " · ".join(f"{_WORDS.get(n, n)} {interval(metrics.get(n))}" for n in names)

    for name, one in _runs(scores):
        out.append(f"  {name}: {said(one['metrics'])}")
        failed = f"missing {one['missing']}, unparsed {one['unparsed']} ({number(one['unparsed_rate'])} %)"
        out.append(f"    {failed}" + (f", not sure of {one['abstained']}" if one["abstained"] else ""))
        if "decisions" in one:
            gate = one["decisions"]["gate"]
            out.append(f"    recall of high, gate at {number(gate['target'])}: {gate['verdict']}")
    out += [f"  {name} (trivial): {said(one)}" for name, one in scores["baselines"].items()]
    for row in scores.get("comparisons", []):
        cells = _comparison(row)
        out.append(f"  {cells[0]}: {cells[1]} {cells[2]}, p {cells[4]} (Holm)")
    return out + [f"  note{line[1:]}" for line in _notes(scores)]
