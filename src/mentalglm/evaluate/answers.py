"""What one row answers under a task, in whichever of the forms it comes; or why it is no answer.

The forms: a record of `analyze` (`analyses`), the same as a flat row of CSV or Parquet (`TASK.labels`), and plain rows
(`labels`, a list or joined by `|`), as in `{"id", "labels"}` and in the datasets of `build`. A label is matched by its
whole key or name, never by a substring.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from .spaces import SUMMARY, Space

SUM_TOLERANCE = 0.01  # probabilities rounded to two decimals still pass

# Why a row gives no answer or only a part of one: the closed set, and what follows from it.
FAULTS: dict[str, tuple[str, str]] = {
    "unreadable": ("rows that cannot be read", "set aside"),
    "no_id": ("rows without an id", "set aside"),
    "extra": ("ids that the gold does not have", "set aside"),
    "other_task": ("rows of other tasks", "set aside"),
    "duplicate": ("ids given again with the same answer", "counted once"),
    "conflict": ("ids given several times with different answers", "wrong"),
    "missing": ("posts without a prediction", "wrong"),
    "no_analysis": ("records without an analysis of this task", "wrong"),
    "error_row": ("rows that failed", "wrong"),
    "no_labels": ("rows without an answer", "wrong"),
    "several_labels": ("rows with several labels where one is asked for", "wrong"),
    "unknown_label": ("rows with an unknown label", "wrong"),
    "bad_sentences": ("rows whose sentences cannot be read", "wrong"),
    "bad_probabilities": ("rows whose probabilities are NaN, incomplete or do not sum to 1",
                          "label scored, probabilities set aside"),
}  # fmt: skip


class Fault(Exception):
    """No answer. `code` is one of FAULTS, `detail` names what is wrong, and quotes no post."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


Sentence = tuple[int, int, int]  # start, end, mask of labels


class Said(NamedTuple):
    """An answer. `mask`: bit k is set where label k of the space holds. `p`: probabilities in the order of the keys.
    `sentences` of the pathway and `summary` of its parents are None where the row has none. `flaw`: why `p` is None
    although probabilities were given."""

    mask: int
    p: tuple[float, ...] | None = None
    abstained: bool = False
    sentences: tuple[Sentence, ...] | None = None
    summary: tuple[str | None, ...] | None = None
    flaw: str = ""


def bits(space: Space) -> dict[str, int]:
    """Label, by key and by name → its bit, with that of its parent."""
    found = {key: 1 << k for k, key in enumerate(space.keys)}
    found |= {child: found[child] | found[parent] for child, parent in space.parents.items()}
    return {name: found[key] for name, key in space.names.items()} | found


def answer(row: Mapping[str, Any], space: Space, bit: Mapping[str, int]) -> Said:
    """The answer of `row`; `bit` is `bits(space)`. Raises Fault."""
    found = _analysis(row, space)
    if space.kind == "summary":
        return Said(0, summary=_summary(found.get("summary"), space))
    given = found.get("labels", found.get("label"))
    mask = _mask(given, space, bit)
    p, flaw = _probabilities(found.get("probabilities"), space)
    sentences = None
    if space.kind == "sentence" and found.get("sentences") is not None:
        sentences = _sentences(found["sentences"], space, bit)
    return Said(mask, p, found.get("abstained") in (True, "true"), sentences, None, flaw)


def _analysis(row: Mapping[str, Any], space: Space) -> Mapping[str, Any]:
    """The part of `row` that answers the task."""
    name = space.name
    if row.get("status") == "error":
        error = row.get("error")
        raise Fault(
            "error_row", str(error.get("code", "") if isinstance(error, Mapping) else row.get("error.code", ""))
        )
    analyses = row.get("analyses")
    if isinstance(analyses, dict):
        found = analyses.get(name)
        if found is None and name == SUMMARY and isinstance(analyses.get("cognitive_pathway"), Mapping):
            found = analyses["cognitive_pathway"]
        if not isinstance(found, Mapping):
            raise Fault("no_analysis", ", ".join(sorted(map(str, analyses))[:5]))
        if "error" in found:
            error = found["error"]
            raise Fault("error_row", str(error.get("code", "")) if isinstance(error, Mapping) else "")
        return found
    if isinstance(task := row.get("task"), str) and task != name:
        raise Fault("other_task", task)
    if type(row.get("labels")) is list and (row.get("probabilities") or len(row) == 2) and not row.get("error"):
        return row  # the common cases of JSON, as they stand
    if "labels" in row or "label" in row or "summary" in row:
        return _plain(row, "")
    if f"{name}.labels" in row:
        return _plain(row, f"{name}.")
    if row.get("status") == "ok" and any(str(column).endswith(".labels") for column in row):
        raise Fault("no_analysis", ", ".join(str(c)[: -len(".labels")] for c in row if str(c).endswith(".labels"))[:80])
    raise Fault("no_labels", "there is no `labels`")


def _plain(row: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
    """Columns as an analysis: what is nested stands as JSON, and a probability a column."""
    if row.get(f"{prefix}error"):
        raise Fault("error_row", str(row[f"{prefix}error"]).split(":")[0][:40])
    names = ("labels", "label", "probabilities", "abstained", "sentences", "summary")
    found = {name: row[prefix + name] for name in names if prefix + name in row}
    for name in ("probabilities", "sentences", "summary"):
        if isinstance(value := found.get(name), str):
            try:
                found[name] = json.loads(value) if value else None
            except ValueError:
                found[name] = value
    if found.get("probabilities") is None:
        start = f"{prefix}p."
        columns = {k[len(start) :]: v for k, v in row.items() if k.startswith(start) and v not in (None, "")}
        if columns:
            found["probabilities"] = columns
    return found


def _mask(given: Any, space: Space, bit: Mapping[str, int]) -> int:
    if given is None:
        raise Fault("no_labels", "`labels` is null or not there")
    if isinstance(given, str):
        given = [x.strip() for x in given.split("|") if x.strip()]
    elif not isinstance(given, list | tuple):
        given = [given]
    mask, count = 0, 0
    for label in given:
        one = bit.get(label) if isinstance(label, str) else None
        if one is None:
            raise Fault("unknown_label", repr(label)[:40])
        count += mask | one != mask
        mask |= one
    if space.kind == "single" and count != 1:
        raise Fault("several_labels" if count else "no_labels", f"{count} labels")
    return mask


def _probabilities(given: Any, space: Space) -> tuple[tuple[float, ...] | None, str]:
    """In the order of the keys; None where there are none, and why where those that are given cannot be used."""
    if given is None:
        return None, ""
    if not isinstance(given, dict):
        return None, "they are no object of label and number"
    if lacking := [key for key in space.keys if key not in given]:
        return None, f"none for {lacking[0]}"
    if len(given) != len(space.keys):
        return None, "one for an unknown label"
    out: list[float] = []
    for key in space.keys:
        value = given[key]
        try:
            number = math.nan if isinstance(value, bool) or value is None else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isnan(number):
            return None, f"that of {key} is NaN or no number"
        if not 0 <= number <= 1:
            return None, f"that of {key} lies outside 0 to 1"
        out.append(number)
    if space.kind == "single" and abs(sum(out) - 1) > SUM_TOLERANCE:
        return None, f"they sum to {sum(out):.3f}"
    return tuple(out), ""


def _sentences(given: Any, space: Space, bit: Mapping[str, int]) -> tuple[Sentence, ...]:
    if not isinstance(given, list | tuple):
        raise Fault("bad_sentences", "they are no list")
    out: list[Sentence] = []
    for item in given:
        start, end = (item.get("start"), item.get("end")) if isinstance(item, Mapping) else (None, None)
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end:
            raise Fault("bad_sentences", "one has no span")
        labels = item.get("labels")
        out.append((start, end, _mask([] if labels is None else labels, space, bit)))
    return tuple(out)


def _summary(given: Any, space: Space) -> tuple[str | None, ...]:
    if not isinstance(given, Mapping):
        raise Fault("no_labels", "there is no `summary`")
    if unknown := [key for key in given if key not in space.keys]:
        raise Fault("unknown_label", repr(unknown[0])[:40])
    return tuple(v.strip() if isinstance(v := given.get(key), str) and v.strip() else None for key in space.keys)
