"""The explanation of `suicide_risk`: what the model reads, the decision, whose risk, the level, the probability.

What the post expresses is told as the model's reading of the whole post, never as what the quoted words say: a quote may
be a denial, tell of the past, or carry little of the level.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .quotes import of_label
from .wording import Wording

_SPAN = {"none": (0, 0), "pain": (1, 3), "wish": (4, 5), "plan": (6, 8), "imminent": (9, 10)}
_DEATH = re.compile(
    r"死|自杀|自殺|轻生|輕生|不想活|跳楼|跳樓|遗书|遺書|自尽|上吊|\bkms\b|die|suicid|kill", re.IGNORECASE
)


def compose(say: Wording, a: Mapping[str, Any]) -> str:
    label = a["labels"][0]
    evidence = [e for e in a["evidence"] if e["label"] == label] or a["evidence"]
    quoted = say.quotes(evidence, label) or say.quotes(evidence, "high") or say.quotes(evidence, "low")
    subject = a.get("subject") or "self"
    level = _level(a)
    if subject == "other":
        parts = [_of_another(say, a, label, quoted)]
    elif label == "low" and level == 0:
        parts = [say("risk.none.unclear" if subject == "unclear" else "risk.none") + _verdict(say, a, label, level)]
        shown = [q for q in of_label(evidence, "low") if _DEATH.search(q)]
        if shown and not a["abstained"]:
            parts.append(say("risk.idiom", q=say.quote(shown[0])))
    else:
        parts = [_of_author(say, a, label, level, quoted)]
    if subject == "unclear":
        parts.append(say("risk.unclear"))
    if a.get("past_attempt"):
        parts.append(say("risk.past.unclear" if subject == "unclear" else "risk.past"))
    if a.get("level") is not None:
        parts.append(say("risk.level" if a["level"] else "risk.level.zero", l=a["level"]))
    if a["probabilities"] is not None:
        p = a["probabilities"]["high"]
        parts.append(say("risk.prob", p=say.verbal(p), v=say.bare(p), w=_where(say, a)))
    return ("" if say.lang == "zh" else " ").join(parts)


def _of_author(say: Wording, a: Mapping[str, Any], label: str, level: int, quoted: str) -> str:
    if level == 0:
        # High without any expression: no clause would be true, only the decision and its words are said.
        head = say("risk.only", q=quoted) if quoted else say("risk.only.bare")
        return head + _verdict(say, a, label, level)
    clause = say(f"risk.level.{level}")
    head = say("risk.open", q=quoted, c=clause) if quoted else say("risk.bare", c=clause)
    if 1 <= level <= 3 and label == "low":
        head += say("risk.no_wish")
    return head + _verdict(say, a, label, level)


def _of_another(say: Wording, a: Mapping[str, Any], label: str, quoted: str) -> str:
    head = say("risk.other", q=quoted) if quoted else say("risk.other.bare")
    if a["abstained"]:
        return head + say(f"risk.{label}.unsure")
    return head + say(f"risk.other.{label}")


def _verdict(say: Wording, a: Mapping[str, Any], label: str, level: int) -> str:
    if a["abstained"]:
        return say(f"risk.{label}.unsure")
    if (label == "high") != (level >= 6):
        return say(f"risk.{label}.conflict")
    if a["probabilities"] is not None and say.soft(a["probabilities"].get(label)):
        return say(f"risk.{label}.soft")
    if label == "low" and level:
        return say("risk.low.wish" if level >= 4 else "risk.low.pain")
    return say(f"risk.{label}")


def _level(a: Mapping[str, Any]) -> int:
    """The level that the expression allows: where the two outputs disagree, the expression holds."""
    level: int | None = a.get("level")
    span = _SPAN.get(a.get("expression") or "")
    if level is None:
        return span[0] if span else (6 if a["labels"][0] == "high" else 0)
    return min(max(level, span[0]), span[1]) if span else level


def _where(say: Wording, a: Mapping[str, Any]) -> str:
    prevalence = a.get("prevalence")
    return say("risk.where.prevalence", v=say.bare(prevalence)) if prevalence is not None else say("risk.where")
