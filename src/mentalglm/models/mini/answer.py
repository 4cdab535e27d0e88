"""The analyses of one post: each task's labels, probabilities, evidence and what else it says."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import Any

import numpy as np

from mentalglm import evidence
from mentalglm.schema import Evidence
from mentalglm.tasks import Task
from mentalglm.tasks.answer import EXPRESSION_OF_LEVEL
from mentalglm.text import PLACEHOLDER, Cleaned, sentences, to_original

from .decide import (
    ANY,
    ATTEMPT,
    COLUMNS,
    DISTORTION,
    LEVEL,
    RISK,
    SUBJECT,
    SUBJECTS,
    Constants,
    Risk,
    contradicts,
    distortions_of,
    level_of,
    sigmoid,
    subject_of,
)
from .parts import Parts

GAP = 2  # characters that are not read (zero-width, marks) which a quote may run over
_SAID = re.compile(r"[^，\s]")


class Answers:
    """`of(task)` gives the analysis without its explanation. A long post's windows are read one by one: a label holds
    where it holds most strongly."""

    def __init__(self, text: str, cleaned: Cleaned, windows: list[Parts], constants: Constants, risk: Risk) -> None:
        self.text, self.cleaned, self.windows, self.constants, self.rule = text, cleaned, windows, constants, risk
        self.logits = np.max([w.logits for w in windows], axis=0)

    def of(self, task: Task) -> dict[str, Any]:
        if task.name == "suicide_risk":
            return self._risk()
        if task.kind == "sentence":
            return self._pathway(task)
        return self._distortion(task)

    def _risk(self) -> dict[str, Any]:
        rule = self.rule
        p = float(sigmoid(self.logits[RISK]))
        stated = rule.stated(self.logits[RISK])
        label = "high" if p >= rule.threshold else "low"
        levels = [level_of(w.logits[LEVEL]) for w in self.windows]
        deepest = int(np.argmax([sigmoid(w.logits[LEVEL]).sum() for w in self.windows]))
        level = max(levels)
        subject = subject_of(self.windows[deepest].logits[SUBJECT], level)
        if level < 4 and any(
            subject_of(w.logits[SUBJECT], n) == "other" for w, n in zip(self.windows, levels, strict=True)
        ):
            subject = "other"  # in a long post another's danger may stand beside the author's own tiredness
        if subject == "none" and level == 1:
            level = 0  # nobody's pain is spoken of: an ordinary post, a story
        found: list[Evidence] = []
        if label == "high":
            found = self.spans("high", RISK)
        elif subject == "other":
            found = self.spans("low", SUBJECT.start + SUBJECTS.index("other"))
        elif level:
            found = self.spans("low", *range(LEVEL.start, LEVEL.start + max(level, 1)))
        torn = contradicts(label == "high", level, subject)
        abstained = rule.unsure_from <= p < rule.threshold or torn or (label == "high" and not found)
        return {
            "labels": [label],
            "probabilities": {"low": round(1 - stated, 4), "high": round(stated, 4)},
            "evidence": [e.as_dict() for e in found],
            "explanation": "",
            "abstained": bool(abstained),
            "level": level,
            "expression": EXPRESSION_OF_LEVEL[level],
            "subject": subject,
            "past_attempt": bool(sigmoid(self.logits[ATTEMPT]) >= self.constants.raw["attempt_threshold"]),
            **({"prevalence": rule.prevalence} if rule.prevalence is not None else {}),
            **({"operating_point": rule.operating_point} if rule.operating_point is not None else {}),
        }

    def _distortion(self, task: Task) -> dict[str, Any]:
        p = sigmoid(self.logits[DISTORTION])
        chosen, unsure = distortions_of(p, float(sigmoid(self.logits[ANY])), self.constants)
        found = {i: self.spans(task.keys[i], DISTORTION.start + i) for i in chosen}
        return {
            "labels": [task.keys[i] for i in chosen],
            "probabilities": {k: round(float(v), 4) for k, v in zip(task.keys, p, strict=True)},
            "evidence": [e.as_dict() for i in chosen for e in found[i]],
            "explanation": "",
            "abstained": bool(unsure or any(not found[i] for i in chosen)),
        }

    def _pathway(self, task: Task) -> dict[str, Any]:
        leaves, thresholds = task.leaves, self.constants.child_thresholds
        best: dict[str, float] = dict.fromkeys(task.keys, 0.0)
        labels: set[str] = set()
        found: list[Evidence] = []
        shown: list[dict[str, Any]] = []
        near = False
        for start, end in sentences(self.text):
            place = self._place(start, end)
            if place is None:
                continue
            window, a, b = place
            words = _words(window.text)[a:b]
            if not _SAID.search(words):
                continue  # nothing but masked data and marks
            logits, shares = window.sentence(a, b)
            p = sigmoid(logits)
            chosen = [int(i) for i in np.flatnonzero(p >= thresholds)]
            near |= bool(((p >= 0.85 * thresholds) & (p < thresholds)).any()) and not chosen
            each = dict.fromkeys(task.keys, 0.0)
            for leaf, value in zip(leaves, p.tolist(), strict=True):
                each[leaf] = round(value, 4)
                parent = task.parent(leaf)
                if parent:
                    each[parent] = max(each[parent], each[leaf])
            here = _with_parents([leaves[i] for i in chosen], task)
            shown.append({"start": start, "end": end, "labels": here, "probabilities": each})
            labels |= set(here)
            best = {k: max(best[k], each[k]) for k in best}
            for i in chosen:
                # the post's limit holds for the label; a long sentence gives its heaviest words only
                limit = min(evidence.budget(len(self.cleaned.text)), max(2, (b - a) - 1) if b - a > 4 else b - a)
                edges = [x - a for x in window.edges() if a <= x <= b]
                spans = evidence.find(shares[:, i], words, limit, edges)
                found += self._given(leaves[i], [(window, a + s, a + e) for s, e in spans])
        # what says that a child holds says so of its parent
        found += [Evidence(parent, e.start, e.end, e.quote) for e in found if (parent := task.parent(e.label))]
        kept = _within(list(dict.fromkeys(found)), evidence.budget(len(self.cleaned.text)))
        return {
            "labels": [k for k in task.keys if k in labels],
            "probabilities": best,
            "evidence": [e.as_dict() for e in kept],
            "explanation": "",
            "abstained": bool(near and not labels),
            "sentences": shown,
            "measured_on": "synthetic",
        }

    def _place(self, start: int, end: int) -> tuple[Parts, int, int] | None:
        """The window that holds most of the sentence `start:end` of the text as given, and where in its characters."""
        c = self.cleaned
        a, b = bisect_right(c.ends, start), bisect_left(c.starts, end)
        held = [(min(b, w.window.end) - max(a, w.window.start), -k, w) for k, w in enumerate(self.windows)]
        size, _, window = max(held, key=lambda x: x[:2])
        if size <= 0:
            return None
        return (
            window,
            max(a, window.window.start) - window.window.start,
            min(b, window.window.end) - window.window.start,
        )

    def spans(self, label: str, *columns: int, most: int = evidence.SPANS) -> list[Evidence]:
        """Evidence for `label`, decided or given, from the window where the mean of `columns` is largest; at most `most`
        spans."""
        weights = np.zeros(COLUMNS)
        weights[list(columns)] = 1.0 / len(columns)
        window = max(self.windows, key=lambda w: float(w.logits @ weights))
        text = _words(window.text)
        spans = evidence.find(window.added(weights), text, evidence.budget(len(text)), window.edges(), most)
        return self._given(label, [(window, s, e) for s, e in spans])

    def _given(self, label: str, spans: list[tuple[Parts, int, int]]) -> list[Evidence]:
        """Ascending spans of a window's characters as evidence in the text as given. Two that came from one character
        of it (㏂ is four: a.m.) become one. Where characters that are not read stand inside (a run of zero-width spaces),
        a span ends before them; what is still too long for the post is cut."""
        out: list[Evidence] = []
        left = evidence.budget(len(self.text))
        for window, s, e in spans:
            for first, last in self._unbroken(window.window.start + s, window.window.start + e):
                a, b = to_original(self.cleaned, first, last)
                if out and a < out[-1].end:
                    joined = out.pop()
                    a, left = joined.start, left + joined.end - joined.start
                b = min(b, a + left)
                if b > a:
                    out.append(Evidence(label, a, b, self.text[a:b]))
                    left -= b - a
        return out

    def _unbroken(self, start: int, end: int) -> list[tuple[int, int]]:
        """The cleaned characters `start:end` in stretches between which at most GAP characters were left out."""
        c = self.cleaned
        cuts = [i for i in range(start + 1, end) if c.starts[i] - c.ends[i - 1] > GAP]
        return list(pairwise([start, *cuts, end]))


def _words(text: str) -> str:
    """`text` with its placeholders as punctuation: a masked number or address, however long, is no evidence."""
    return PLACEHOLDER.sub(lambda m: "，" * len(m[0]), text)


def _with_parents(children: list[str], task: Task) -> list[str]:
    whole = {*children, *(p for c in children if (p := task.parent(c)))}
    return [k for k in task.keys if k in whole]


def _within(found: list[Evidence], limit: int) -> list[Evidence]:
    """A label's evidence from several sentences, shortest first, as far as the limit allows and at least one each."""
    used: dict[str, int] = {}
    kept: list[Evidence] = []
    for e in sorted(found, key=lambda e: e.end - e.start):
        size = e.end - e.start
        if e.label not in used or used[e.label] + size <= limit:
            used[e.label] = used.get(e.label, 0) + size
            kept.append(e)
    return sorted(kept, key=lambda e: (e.start, e.end, e.label))
