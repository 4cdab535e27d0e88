"""Posts, evidence and records: what every part of the package passes to the next.

A record is a plain `dict` (DESIGN, contract 2), so that reading and writing it needs no library. Key order is fixed:
schema_version, id, status, analyses or error, model, notes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = "1.0"
EXPRESSIONS = ("none", "pain", "wish", "plan", "imminent")
SUBJECTS = ("self", "other", "unclear", "none")

# Why a row could not be read or analysed: the closed set of `error.code`.
ERROR_CODES = (
    "empty_text",  # nothing but white space or invisible characters
    "missing_text",  # the row has no text field, or null in it
    "not_text",  # the text field holds something that is not text
    "bad_json",  # the line is not a JSON object
    "bad_row",  # the row of a table cannot be read (too few or too many columns, a field too large)
    "encoding",  # the row's bytes are not text in the encoding of the file
    "unparsed",  # a language model's answer could not be read
    "too_long",  # the model cannot take the post, and has no windows
    "model",  # the model failed on this post
    "remote",  # a remote model did not answer
)

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Post:
    """A text with an id. `extra` holds the input's other columns, in order; `row` counts from 1 (0: no file)."""

    id: str
    text: str
    extra: dict[str, Any] = field(default_factory=dict)
    row: int = 0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read: `code` is one of `ERROR_CODES`, `message` says why and where."""

    id: str
    row: int
    code: str
    message: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words that say so: `quote` is exactly `text[start:end]`, in code points of the text as given."""

    label: str
    start: int
    end: int
    quote: str

    def as_dict(self) -> dict[str, Any]:
        return {"label": self.label, "start": self.start, "end": self.end, "quote": self.quote}


def ok_record(post_id: str, analyses: Mapping[str, Any], model: Mapping[str, str], notes: Iterable[str] = ()) -> Record:
    """A post that was analysed, wholly or in part: `analyses[task]` is an analysis or `{"error": {code, message}}`."""
    record: Record = {
        "schema_version": SCHEMA_VERSION,
        "id": post_id,
        "status": "ok",
        "analyses": dict(analyses),
        "model": dict(model),
    }
    if notes := list(notes):
        record["notes"] = notes
    return record


def error_record(post_id: str, code: str, message: str, model: Mapping[str, str] | None = None) -> Record:
    """A post or row that failed: no analyses, and why."""
    record: Record = {
        "schema_version": SCHEMA_VERSION,
        "id": post_id,
        "status": "error",
        "error": {"code": code, "message": message},
    }
    if model is not None:
        record["model"] = dict(model)
    return record


def validate(record: Record, text: str) -> list[str]:
    """Everything in `record` that breaks the contract, given the post's text; empty if nothing does."""
    problems: list[str] = []
    if record.get("schema_version") != SCHEMA_VERSION:
        problems.append(f"schema_version is {record.get('schema_version')!r}")
    if not isinstance(record.get("id"), str):
        problems.append("id is not a string")
    status = record.get("status")
    if status == "error":
        problems += _error_problems(record.get("error"), "error")
        if "analyses" in record:
            problems.append("a failed row has analyses")
        return problems
    if status != "ok":
        return [*problems, f"status is {status!r}"]
    model = record.get("model")
    if not isinstance(model, dict) or not {"name", "revision"} <= model.keys():
        problems.append("model has no name or revision")
    analyses = record.get("analyses")
    if not isinstance(analyses, dict) or not analyses:
        return [*problems, "no analyses"]
    if all("error" in a for a in analyses.values()):
        problems.append("every task failed, but the status is ok")
    for name, analysis in analyses.items():
        if "error" in analysis:
            problems += _error_problems(analysis["error"], name)
        else:
            problems += [f"{name}: {p}" for p in _analysis_problems(name, analysis, text)]
    return problems


def _error_problems(error: Any, where: str) -> list[str]:
    if not isinstance(error, dict) or not error.get("message"):
        return [f"{where}: the error says nothing"]
    return [] if error.get("code") in ERROR_CODES else [f"{where}: unknown error code {error.get('code')!r}"]


def _analysis_problems(name: str, analysis: Mapping[str, Any], text: str) -> list[str]:
    from .tasks import load

    task = load(name)
    keys = task.keys
    problems = [
        f"no {k}" for k in ("labels", "probabilities", "evidence", "explanation", "abstained") if k not in analysis
    ]
    if problems:
        return problems
    labels: list[str] = analysis["labels"]
    problems += [f"unknown label {label!r}" for label in labels if label not in keys]
    if task.kind == "single" and len(labels) != 1:
        problems.append(f"{len(labels)} labels in a single-label task")
    if len(set(labels)) != len(labels):
        problems.append("a label stands twice")
    problems += [f"{x} without {task.parent(x)}" for x in labels if task.parent(x) and task.parent(x) not in labels]
    problems += _probability_problems(analysis["probabilities"], keys, single=task.kind == "single")
    problems += _evidence_problems(analysis["evidence"], keys, text)
    seen = {e["label"] for e in analysis["evidence"]}
    bare = [x for x in labels if x != "low" and x not in seen and not any(e.startswith(x + ".") for e in seen)]
    if bare and not analysis["abstained"]:
        problems.append(f"no evidence for {', '.join(bare)}, and not abstained")
    if not isinstance(analysis["abstained"], bool):
        problems.append("abstained is not true or false")
    if not analysis["explanation"]:
        problems.append("no explanation")
    if name == "suicide_risk":
        problems += _risk_problems(analysis)
    if task.kind == "sentence":
        problems += _sentence_problems(analysis, keys, text)
    return problems


def _probability_problems(p: Any, keys: tuple[str, ...], *, single: bool) -> list[str]:
    if p is None:
        return []
    if set(p) != set(keys):
        return [f"probabilities are for {sorted(p)}"]
    bad = [f"probability of {k} is {v!r}" for k, v in p.items() if not (isinstance(v, int | float) and 0 <= v <= 1)]
    if single and not bad and not math.isclose(sum(p.values()), 1, abs_tol=0.002):
        bad.append(f"probabilities sum to {sum(p.values()):.4f}")
    return bad


def _evidence_problems(evidence: Any, keys: tuple[str, ...], text: str) -> list[str]:
    problems: list[str] = []
    for e in evidence:
        start, end = e["start"], e["end"]
        if e["label"] not in keys:
            problems.append(f"evidence for unknown label {e['label']!r}")
        if not 0 <= start < end <= len(text):
            problems.append(f"evidence {start}:{end} lies outside the text")
        elif e["quote"] != text[start:end]:
            problems.append(f"quote {e['quote']!r} is not text[{start}:{end}]")
    return problems


def _risk_problems(analysis: Mapping[str, Any]) -> list[str]:
    level, problems = analysis.get("level"), []
    if not (isinstance(level, int) and not isinstance(level, bool) and 0 <= level <= 10):
        problems.append(f"level is {level!r}")
    if analysis.get("expression") not in EXPRESSIONS:
        problems.append(f"expression is {analysis.get('expression')!r}")
    if analysis.get("subject") not in SUBJECTS:
        problems.append(f"subject is {analysis.get('subject')!r}")
    if not isinstance(analysis.get("past_attempt"), bool):
        problems.append(f"past_attempt is {analysis.get('past_attempt')!r}")
    return problems


def _sentence_problems(analysis: Mapping[str, Any], keys: tuple[str, ...], text: str) -> list[str]:
    problems: list[str] = []
    last = 0
    for s in analysis.get("sentences", []):
        if not last <= s["start"] < s["end"] <= len(text):
            problems.append(f"sentence {s['start']}:{s['end']} is out of order or outside the text")
        last = s["end"]
        problems += [f"unknown label {x!r}" for x in s["labels"] if x not in keys]
        problems += _probability_problems(s["probabilities"], keys, single=False)
    if "sentences" not in analysis:
        problems.append("no sentences")
    elif analysis["sentences"] and {x for s in analysis["sentences"] for x in s["labels"]} != set(analysis["labels"]):
        problems.append("the post's labels are not the union of its sentences'")
    return problems
