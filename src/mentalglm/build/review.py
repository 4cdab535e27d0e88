"""What goes to experts and comes back: a stratified sample in the review tool's format, verdicts by content key.

A verdict holds for what was seen: the post (content key), the task's version, the answer (hash). What a rebuild words
anew has lost its verdict, and is counted as stale.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mentalglm.errors import UserError
from mentalglm.tasks import NAMES, load
from mentalglm.tasks.answer import FIRST_HIGH, with_parents

FORMAT = "mentalglm-review/1"

# Why an expert rejects: a closed set, shared with the review desk.
REJECTIONS = (
    "wrong_label", "evidence_missing", "evidence_wrong", "invented", "contradicts_post", "restates_label",
    "diagnosis_or_advice", "blame", "method_detail", "language", "other",
)  # fmt: skip


class Evidence(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: str
    start: int = Field(ge=0)
    end: int = Field(ge=1)


class Verdict(BaseModel):
    """One line of a verdicts file. `edit` brings the fields that it changes; others stay."""

    model_config = ConfigDict(extra="ignore")
    key: str = Field(pattern=r"^[0-9a-f]{32}$")
    task: str
    task_version: str
    answer_hash: str
    verdict: Literal["accept", "edit", "reject"]
    reason: str | None = None
    labels: list[str] | None = None
    evidence: list[Evidence] | None = None
    explanation: str | None = None
    rater: str = ""


def answer_hash(row: dict[str, Any]) -> str:
    """Of what an expert judges: labels, evidence and explanation."""
    seen = [row["labels"], [[e["label"], e["start"], e["end"]] for e in row["evidence"]], row["explanation"]]
    whole = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def version_of(task: str) -> str:
    return load(task).version if task in NAMES else "1.0"


def sample(rows: Iterable[dict[str, Any]], per_task: int) -> list[dict[str, Any]]:
    """At most `per_task` rows a task, in turn from every stratum (label, teacher, whether the teacher's own label
    differs), in hash order within one: rare labels are seen as often as common ones."""
    strata: dict[str, dict[tuple[str, str, bool], list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    frequency: dict[tuple[str, str], int] = defaultdict(int)
    every = list(rows)
    for row in every:
        for label in row["labels"] or ["none"]:
            frequency[row["task"], label] += 1
    for row in every:
        rarest = min(row["labels"] or ["none"], key=lambda x: (frequency[row["task"], x], x))
        strata[row["task"]][rarest, row["teacher"], row["hidden_agrees"] is False].append(row)
    out = []
    for task in sorted(strata):
        queues = [
            sorted(q, key=lambda r: hashlib.sha256(r["id"].encode()).hexdigest())
            for _, q in sorted(strata[task].items())
        ]
        taken: list[dict[str, Any]] = []
        while len(taken) < per_task and any(queues):
            for queue in queues:
                if queue and len(taken) < per_task:
                    taken.append(queue.pop(0))
        out += [_asked(row) for row in taken]
    return out


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": row["id"],
        "key": row["key"],
        "task": row["task"],
        "task_version": version_of(row["task"]),
        "answer_hash": answer_hash(row),
        "text": row["text"],
        "answer": {k: row[k] for k in ("labels", "level", "evidence", "explanation", "sentences", "summary")},
        "teacher": row["teacher"],
        "source": row["sources"],
    }


def read_verdicts(path: Path) -> dict[tuple[str, str], Verdict]:
    """Verdicts by (key, task); the last line for one holds. Raises UserError that names every line that is wrong."""
    out: dict[tuple[str, str], Verdict] = {}
    problems = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may hold U+2028, which ends no line of JSON
    except FileNotFoundError:
        raise UserError(
            f"there are no verdicts at {path}", "name the file of experts' verdicts, one JSON a line (docs/dataset.md)"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start})", "convert it to UTF-8") from None
    for n, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            verdict = Verdict.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            problems.append(f"line {n}: {'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}")
            continue
        if verdict.verdict == "reject" and verdict.reason not in REJECTIONS:
            problems.append(f"line {n}: the reason {verdict.reason!r} is none of {', '.join(REJECTIONS)}")
            continue
        if verdict.verdict == "edit" and verdict.labels is verdict.evidence is verdict.explanation is None:
            problems.append(f"line {n}: an edit without labels, evidence or explanation changes nothing")
            continue
        out[verdict.key, verdict.task] = verdict
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise UserError(f"{path}: {shown}", "mend these lines")
    return out


def holds(verdict: Verdict, row: dict[str, Any]) -> bool:
    return verdict.task_version == version_of(row["task"]) and verdict.answer_hash == answer_hash(row)


def edited(row: dict[str, Any], verdict: Verdict) -> dict[str, Any] | str:
    """The row with the expert's changes, or what is wrong with them: labels that the task does not have, evidence that is
    not in the post, for another label, or missing for one. A parent follows its child. Where the label of suicide risk
    changes sides, level and expression, which would argue against it, are left out."""
    out = dict(row)
    if verdict.labels is not None:
        unknown = [x for x in verdict.labels if row["task"] in NAMES and x not in load(row["task"]).keys]
        if unknown:
            return f"unknown label {unknown[0]!r}"
        out["labels"] = (
            list(with_parents(load(row["task"]), verdict.labels)) if row["task"] in NAMES else verdict.labels
        )
    if verdict.evidence is not None:
        if any(e.end > len(row["text"]) or e.start >= e.end for e in verdict.evidence):
            return "evidence that is not in the post"
        out["evidence"] = [
            {"label": e.label, "start": e.start, "end": e.end, "quote": row["text"][e.start : e.end]}
            for e in verdict.evidence
        ]
    if verdict.explanation is not None:
        out["explanation"] = verdict.explanation
    if row["task"] not in NAMES:
        return out
    task = load(row["task"])
    if task.kind == "single" and len(out["labels"]) != 1:
        return "not exactly one label"
    shown = {e["label"] for e in out["evidence"]}
    if stray := sorted(shown - set(out["labels"])):
        return f"evidence for {stray[0]!r}, which is no label of the row: give the evidence anew"
    if bare := [x for x in out["labels"] if x in task.leaves and x != "low" and x not in shown]:
        return f"no evidence for {bare[0]!r}"
    if (
        out["level"] is not None
        and task.name == "suicide_risk"
        and (out["level"] >= FIRST_HIGH) != (out["labels"] == ["high"])
    ):
        out |= {"level": None, "expression": None}
    return out


def counts(rows: Sequence[dict[str, Any]], verdicts: dict[tuple[str, str], Verdict]) -> dict[str, int]:
    """How many verdicts hold, are stale (the answer was worded anew), or belong to no row."""
    by_row = {(r["key"], r["task"]): r for r in rows}
    out = {"held": 0, "stale": 0, "without_row": 0}
    for key, verdict in verdicts.items():
        row = by_row.get(key)
        out["without_row" if row is None else "held" if holds(verdict, row) else "stale"] += 1
    return out
