"""The report on a build's quality: what was found, how often, where; as JSON, as a page to read, and drawn.

It holds no post and no explanation unless `with_text` asks for them: an example is a row's id. Details of findings may
quote posts, so that they count as text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import plots
from .across import across
from .corpus import look
from .informative import measure
from .quotes import quote_rates
from .reasons import BY_KEY, REASONS
from .refusals import refusal_table, wilson
from .verdict import Row, Settings

EXAMPLES = 5


def summary(
    kept: Sequence[Row],
    dropped: Sequence[Row],
    settings: Settings | None = None,
    *,
    slow: bool = True,
    refused: Sequence[Row] = (),
    hidden: dict[str, tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """Counts and rates over rows that carry their findings.

    `reasons`: for each reason found, rows with it as a fail and as a signal, kept and dropped, its share of all rows,
    and counts by task, source, teacher and mode. `quotes` are the rates of `quote_rates` for kept rows and for all;
    `refusals` the table; `across` what does not agree between the kept answers on one post; `corpus` what `corpus.look`
    finds among the kept; `informative` LAS by task and teacher
    (left out, with `corpus`, unless `slow`). Equal rows give equal values.
    """
    settings = settings or Settings()
    rows = [*kept, *dropped]
    out: dict[str, Any] = {
        "rows": {"all": len(rows), "kept": len(kept), "dropped": len(dropped)},
        "kept_by": _kept_by(kept, dropped),
        "reasons": _reasons(kept, dropped),
        "quotes": {"kept": quote_rates(kept, settings), "all": quote_rates(rows, settings)},
        "label_hidden": _agreement(hidden or {}),
        "refusals": refusal_table([*rows, *refused]),
        "across": _across(kept, settings),
        "settings": settings.model_dump(),
    }
    if slow:
        out["corpus"] = look(kept, settings).summary()
        out["informative"] = [
            {"teacher": teacher, **m.summary()}
            for teacher in sorted({r.taught.teacher for r in kept})
            for m in measure([r for r in kept if r.taught.teacher == teacher], settings)
        ]
    return out


def write(
    folder: str | Path,
    kept: Sequence[Row],
    dropped: Sequence[Row],
    settings: Settings | None = None,
    *,
    asked: dict[str, Any] | None = None,
    refused: Sequence[Row] = (),
    hidden: dict[str, tuple[int, int]] | None = None,
    with_text: bool = False,
    draw: bool = True,
) -> dict[str, Any]:
    """Writes `quality.json`, `quality.md` and, where matplotlib is installed, `quality.png` into `folder`, and gives the
    summary; `plots` in it says what was drawn, or why not. asked: by teacher how many answers it gave and, by reason,
    how many did not pass: most of these have been asked anew. refused: refusals of rows that another teacher then
    answered. hidden: by task how many rows a teacher labelled without being told, and how many of these as the gold.
    OSError where the folder cannot be written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = summary(kept, dropped, settings, refused=refused, hidden=hidden) | {"asked": asked or {}}
    found["plots"] = plots.draw(found, folder / "quality.png") if draw else "not drawn"
    text = json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / "quality.json").write_text(text, encoding="utf-8")
    page = page_of(found, [*kept, *dropped], with_text)
    (folder / "quality.md").write_text(page, encoding="utf-8", errors="backslashreplace")
    return found


def page_of(found: dict[str, Any], rows: Sequence[Row], with_text: bool = False) -> str:
    """The report as Markdown."""
    n = found["rows"]
    lines = [
        "# Quality control",
        "",
        f"{n['all']} rows: {n['kept']} kept, {n['dropped']} dropped. A finding that fails drops its row; a signal stays "
        "with it. One row may have several.",
        "",
        "## Findings",
        "",
    ]
    table = found["reasons"]
    cells = [
        [BY_KEY[k].check, k, v["fail"], v["warn"], _percent(v["share"]), v["kept"], v["dropped"]]
        for k, v in table.items()
    ]
    lines += _table(("check", "reason", "fail", "signal", "of all rows", "kept", "dropped"), cells) or ["None."]
    if found.get("asked"):
        lines += [
            "",
            "## Answers that did not pass",
            "",
            "By the teacher that gave them; the row went on to the next attempt or teacher.",
            "",
        ]
        cells = [
            [t, a["answers"], reason, n, _percent(n / a["answers"])]
            for t, a in found["asked"].items()
            for reason, n in a["did_not_pass"].items()
        ]
        lines += _table(("teacher", "answers", "reason", "did not pass", "share"), cells) or ["None."]
    lines += ["", "## Quotes", ""]
    cells = [
        [
            name,
            q["rows"],
            q["quotes"],
            q["quotes_bad"],
            _percent(q["share_quotes_bad"]),
            _percent(q["share_rows_bad_or_none"]),
        ]
        for name, q in found["quotes"].items()
    ]
    lines += _table(
        ("rows", "with explanation", "quotes", "not verbatim", "share", "rows with a bad quote or none"), cells
    )
    for key, title in (("task", "Task"), ("source", "Source"), ("teacher", "Teacher"), ("mode", "Mode")):
        cells = [[k, v["kept"], v["dropped"], _percent(v["share_kept"])] for k, v in found["kept_by"][key].items()]
        lines += ["", f"## {title}", "", *_table((key, "kept", "dropped", "share kept"), cells)]
    lines += ["", "## Refusals", ""]
    refused = found["refusals"]
    cells = [
        [k, c["asked"], c["refused"], _percent(c["share"]), f"{_percent(c['low'])} – {_percent(c['high'])}"]
        for table_name in ("by_label", "by_level", "by_teacher")
        for k, c in refused[table_name].items()
    ]
    if refused["all"]["refused"]:
        lines += _table(("label, level or teacher", "asked", "refused", "share", "95 %"), cells)
    else:
        lines += [f"None of {refused['all']['asked']}."]
    between = found["across"]
    said = ", ".join(f"`{k}` on {n}" for k, n in between.items() if k != "posts") or "nothing"
    lines += ["", "## Between the answers on one post", "", f"{between['posts']} posts have several: {said}."]
    lines += _corpus_lines(found)
    lines += ["", "## Examples", ""]
    for reason in table:
        lines += _examples(reason, rows, with_text)
    return "\n".join(lines) + "\n"


def _corpus_lines(found: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    if "corpus" in found:
        c = found["corpus"]
        lines += [
            "", "## Skeletons", "",
            f"With quotes, label names and numbers taken out, {c['skeleton_shared']} of {c['rows']} explanations "
            f"({_percent(c['skeleton_share'])}, limit {_percent(c['skeleton_limit'])}) are those of another row; "
            f"{c['near_duplicate_pairs']} pairs are nearly one text.",
        ]  # fmt: skip
    if "informative" in found:
        lines += ["", "## Leak-adjusted informativeness (LAS)", ""]
        cells = [
            [m["teacher"], m["task"], m["rows"], _three(m["accuracy_post"]), _three(m["accuracy_both"]),
             _three(m["leaking"]), _with_interval(m, "las", "low", "high"), _three(m["las_exchanged"]),
             _with_interval(m, "gain_pointed", "gain_pointed_low", "gain_pointed_high"),
             _three(m["gain_pointed_exchanged"]), m["note"]]
            for m in found["informative"]
        ]  # fmt: skip
        head = (
            "teacher",
            "task",
            "rows",
            "post",
            "post + explanation",
            "leaking",
            "LAS",
            "exchanged",
            "gain pointed",
            "exchanged",
            "note",
        )
        lines += _table(head, cells)
        lines += [
            "",
            "Linear simulators over characters: compare teachers on the same posts, do not read one value alone.",
        ]
    return lines


def _examples(reason: str, rows: Sequence[Row], with_text: bool) -> list[str]:
    lines = [f"### `{reason}`", "", BY_KEY[reason].en.replace("{detail}", "…"), ""]
    shown = 0
    for row in rows:
        found = next((f for f in row.findings if f.reason == reason), None)
        if found is None:
            continue
        lines.append(f"- `{_inline(row.id)}` ({_inline(row.taught.teacher)}, attempt {row.taught.attempt})")
        if with_text:
            lines.append(f"  - {_inline(found.detail) or '–'}")
            lines.append(f"  - {_inline(row.explanation) or '–'}")
        shown += 1
        if shown == EXAMPLES:
            break
    return [*lines, ""]


def _reasons(kept: Sequence[Row], dropped: Sequence[Row]) -> dict[str, Any]:
    """In the order of REASONS; only those found."""
    every = len(kept) + len(dropped)
    out: dict[str, Any] = {}
    for reason in REASONS:
        places: dict[str, Counter[str]] = {k: Counter() for k in ("task", "source", "teacher", "mode")}
        n: Counter[str] = Counter()
        for name, rows in (("kept", kept), ("dropped", dropped)):
            for row in rows:
                grades = {f.verdict for f in row.findings if f.reason == reason.key}
                if not grades:
                    continue
                n[name] += 1
                n["fail" if "fail" in grades else "warn"] += 1
                for place, counter in places.items():
                    counter.update(_places(row)[place])
        total = n["kept"] + n["dropped"]
        if total:
            counts = {k: n[k] for k in ("fail", "warn", "kept", "dropped")}
            by = {f"by_{place}": dict(sorted(c.items())) for place, c in places.items()}
            out[reason.key] = {"check": reason.check, "rows": total, **counts, "share": round(total / every, 4), **by}
    return out


def _across(kept: Sequence[Row], settings: Settings) -> dict[str, Any]:
    """Posts with more than one answer, and how many of them have each finding of `across`."""
    by_post: dict[str, list[Row]] = {}
    for row in kept:
        by_post.setdefault(row.item.key, []).append(row)
    several = [rows for rows in by_post.values() if len(rows) > 1]
    counts = Counter(reason for rows in several for reason in {f.reason for f in across(rows, settings)})
    return {"posts": len(several), **dict(sorted(counts.items()))}


def _places(row: Row) -> dict[str, list[str]]:
    sources = sorted({s for s, _ in row.item.parts}) or [row.item.label_from]
    return {"task": [row.item.task], "source": sources, "teacher": [row.taught.teacher], "mode": [row.taught.mode]}


def _kept_by(kept: Sequence[Row], dropped: Sequence[Row]) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for place in ("task", "source", "teacher", "mode"):
        a, b = (Counter(k for r in rows for k in _places(r)[place]) for rows in (kept, dropped))
        out[place] = {
            k: {"kept": a[k], "dropped": b[k], "share_kept": round(a[k] / (a[k] + b[k]), 4)} for k in sorted({*a, *b})
        }
    return out


def _agreement(hidden: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Agreement with the gold of a teacher that was not told it, by task, with its interval."""
    out: dict[str, Any] = {}
    for task, (asked, agreed) in sorted(hidden.items()):
        low, high = wilson(agreed, asked)
        out[task] = {"rows": asked, "agreed": agreed, "share": round(agreed / asked, 4), "low": low, "high": high}
    return out


def _table(head: Sequence[str], cells: Sequence[Sequence[Any]]) -> list[str]:
    if not cells:
        return []
    rule = "|" + "|".join("---" for _ in head) + "|"
    return (
        ["| " + " | ".join(_inline(str(c)) for c in row) + " |" for row in (head,)]
        + [rule]
        + ["| " + " | ".join(_inline(str(c)) for c in row) + " |" for row in cells]
    )


def _inline(text: str) -> str:
    """One line that ends no table cell and no code span."""
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _with_interval(m: dict[str, Any], value: str, low: str, high: str) -> str:
    return "–" if m[value] is None else f"{m[value]:+.3f} [{m[low]:+.3f}, {m[high]:+.3f}]"
