"""A language model's answer to a task: how it is asked for, written and read (DESIGN, contract 6).

JSON with ASCII label keys. Evidence first, then the explanation, then the labels: reasons are not written to fit a
verdict that already stands. A quote is looked up in the post; one that is not there is dropped and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..schema import EXPRESSIONS, SUBJECTS
from .task import Lang, Task

FURTHER = ("level", "expression", "subject", "past_attempt")  # of suicide_risk alone
FIRST_HIGH = 6  # levels from here on are high risk by the annotators' own rule (SOS-4K)
EXPRESSION_OF_LEVEL = ("none", *["pain"] * 3, *["wish"] * 2, *["plan"] * 3, *["imminent"] * 2)
PARENTS = ("event", "belief", "consequence", "disputation")  # of the pathway; each may have a sentence in `summary`

# With these a post could speak as a role of a chat, in any template: `<|user|>`, `<｜User｜>`, `[gMASK]`, `<sop>`, `</s>`,
# `<<SYS>>`, `<start_of_turn>`, `[TOOL_CALLS]` and the like. The opening bracket is exchanged for its wide form, one
# character for one, so that offsets hold.
_INERT = str.maketrans({"<": "＜", "[": "［"})
_NAMES = (
    r"\s*[|｜]|/?\s*(?:s|sop|eop|bos|eos|pad|unk|think|im_start|im_end|start_of_turn|end_of_turn|tool_calls?|tool_response|"
    r"observation|system|user|assistant)\s*>|<\s*/?SYS\s*>"
)
_ROLE = re.compile(
    rf"<(?={_NAMES})|(?<=<)<(?=/?SYS>)|\[(?=/?(?:[gs]?MASK|INST|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\])", re.I
)


class Quote(NamedTuple):
    """`quote` is exactly `text[start:end]` of the post, and says that `label` holds."""

    label: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered. `further` has the keys of FURTHER (None where unknown), empty for other tasks; `summary` one
    sentence a parent of the pathway, None where there is none."""

    evidence: tuple[Quote, ...]
    explanation: str
    labels: tuple[str, ...]
    further: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, str | None] = field(default_factory=dict)
    dropped_quotes: tuple[str, ...] = ()


class Unparsed(ValueError):
    """The answer is not what was asked for; the message says in what."""


def inert(text: str) -> str:
    """`text`, of the same length, without anything that a chat template could take for a role token (contract 7)."""
    return _ROLE.sub(lambda m: m[0].translate(_INERT), text)


def instruction(task: Task, lang: Lang = "zh") -> str:
    """What is asked of a post, without the post: the question, the label keys, the form of the answer."""
    names = "、".join(f"{label.key}（{label.zh}）" for label in task.labels)
    if lang == "en":
        names = ", ".join(f"{label.key} ({label.en})" for label in task.labels)
        return (
            f"Consider the post below. {task.question_en} Labels: {names}. Answer in JSON: first evidence (quotes "
            f"verbatim from the post, each with its label), then explanation (in Chinese), then {_tail(task, ', ')}."
        )
    return (
        f"考虑以下这个帖子。{task.question_zh}可用的标签：{names}。用 JSON 回答：先写 evidence（逐字引用帖子里的词句，"
        f"各带一个标签），再写 explanation（中文说明），最后写{_tail(task, '、')}。"
    )


def _tail(task: Task, comma: str) -> str:
    return comma.join(("labels", *FURTHER) if task.name == "suicide_risk" else ("labels",))


def render(task: Task, post: str, lang: Lang = "zh") -> str:
    """The user's turn: instruction and post. The post is data: role tokens in it are inert."""
    return f"{instruction(task, lang)}\n{'帖子' if lang == 'zh' else 'Post'}：{inert(post)}"


def ask_imhi(post: str, question: str) -> str:
    """The user's turn of an English IMHI task, in IMHI's own grammar (MentalLLaMA, Yang et al. 2024)."""
    return f'Consider this post: "{inert(post)}" Question: {question}'


def write(task: Task, answer: Answer) -> str:
    """The assistant's turn: one line of JSON."""
    out: dict[str, Any] = {
        "evidence": [{"label": q.label, "quote": inert(q.quote)} for q in answer.evidence],
        "explanation": inert(answer.explanation),
        "labels": list(answer.labels),
    }
    if task.name == "suicide_risk":
        out |= {k: answer.further.get(k) for k in FURTHER}
    return json.dumps(out, ensure_ascii=False)


def schema(task: Task, labels: Sequence[str] | None = None, *, summary: bool = False) -> dict[str, Any]:
    """The JSON schema of an answer, for servers and decoders that bind to one. labels: the gold, where it is given.
    summary: whether a sentence for each step of the pathway is asked for too, as of a teacher."""
    keys = list(task.keys)
    quote = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": keys}, "quote": {"type": "string", "minLength": 1}},
        "required": ["label", "quote"],
        "additionalProperties": False,
    }
    chosen: dict[str, Any] = {"type": "array", "items": {"type": "string", "enum": keys}}
    if labels is not None:
        chosen = {"type": "array", "items": {"type": "string", "enum": list(labels) or keys}, "maxItems": len(labels)}
    elif task.kind == "single":
        chosen |= {"minItems": 1, "maxItems": 1}
    properties: dict[str, Any] = {
        "evidence": {"type": "array", "items": quote},
        "explanation": {"type": "string", "minLength": 1},
        "labels": chosen,
    }
    if task.name == "suicide_risk":
        properties |= {
            "level": {"type": ["integer", "null"], "minimum": 0, "maximum": 10},
            "expression": {"type": ["string", "null"], "enum": [*EXPRESSIONS, None]},
            "subject": {"type": ["string", "null"], "enum": [*SUBJECTS, None]},
            "past_attempt": {"type": ["boolean", "null"]},
        }
    if summary and task.kind == "sentence":
        one = {"type": ["string", "null"]}
        properties["summary"] = {
            "type": "object",
            "properties": dict.fromkeys(PARENTS, one),
            "required": list(PARENTS),
            "additionalProperties": False,
        }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def parse(task: Task, raw: str, post: str) -> Answer:
    """Reads what a model wrote about `post`. Text around the JSON (a code fence, a thought) is passed over.

    A quote is looked for in the post as given, then with role tokens inert; a repeated one means its first occurrence.
    A child brings its parent. Raises Unparsed.
    """
    data = _object(raw)
    labels = _labels(task, data.get("labels"))
    explanation = data.get("explanation")
    if not isinstance(explanation, str) or not explanation.strip():
        raise Unparsed("explanation is missing")
    found: list[Quote] = []
    dropped: list[str] = []
    given = data.get("evidence")
    if not isinstance(given, list):
        raise Unparsed("evidence is no list")
    for item in given:
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("quote"), str)
            or not isinstance(item.get("label"), str)
        ):
            raise Unparsed("an evidence has no label or no quote")
        if item["label"] not in task.keys:
            raise Unparsed(f"unknown label {item['label'][:40]!r} in evidence")
        at = locate(item["quote"], post)
        if at is None:
            dropped.append(item["quote"])
        else:
            found.append(Quote(item["label"], *at, post[at[0] : at[1]]))
    return Answer(
        tuple(dict.fromkeys(found)),
        explanation.strip(),
        labels,
        _further(task, data),
        _summary(task, data),
        tuple(dropped),
    )


def locate(quote: str, post: str) -> tuple[int, int] | None:
    """Where `quote` first stands in `post`, verbatim but for inert role tokens; None where it does not."""
    if not quote.strip():
        return None
    at = post.find(quote)
    if at < 0:  # a quote of what was shown inert, perhaps cut through a mark
        at = post.translate(_INERT).find(quote.translate(_INERT))
    return None if at < 0 else (at, at + len(quote))


def with_parents(task: Task, labels: Sequence[str]) -> tuple[str, ...]:
    """`labels` and their parents, each once, in the order of the task."""
    every = set(labels) | {p for k in labels if (p := task.parent(k))}
    return tuple(k for k in task.keys if k in every)


def _object(raw: str) -> dict[str, Any]:
    """The last complete JSON object at the top level of `raw`: thoughts may hold others before it."""
    decoder = json.JSONDecoder()
    found: dict[str, Any] | None = None
    at = raw.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(raw, at)
        except (ValueError, RecursionError):
            at = raw.find("{", at + 1)
            continue
        if isinstance(value, dict) and "labels" in value:
            found = value
        at = raw.find("{", end)
    if found is None:
        raise Unparsed("no JSON object with labels")
    return found


def _labels(task: Task, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(x, str) for x in given):
        raise Unparsed("labels is no list of keys")
    unknown = [x for x in given if x not in task.keys]
    if unknown:
        raise Unparsed(f"unknown label {unknown[0][:40]!r}")
    if task.kind == "single" and len(set(given)) != 1:
        raise Unparsed(f"{len(set(given))} labels where one is asked for")
    return with_parents(task, given)


def _further(task: Task, data: dict[str, Any]) -> dict[str, Any]:
    if task.name != "suicide_risk":
        return {}
    level, expression, subject, past = (data.get(k) for k in FURTHER)
    if level is not None and (isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= 10):
        raise Unparsed("level is not 0 to 10")
    if expression is not None and expression not in EXPRESSIONS:
        raise Unparsed("unknown expression")
    if subject is not None and subject not in SUBJECTS:
        raise Unparsed("unknown subject")
    if past is not None and not isinstance(past, bool):
        raise Unparsed("past_attempt is not true or false")
    return dict(zip(FURTHER, (level, expression, subject, past), strict=True))


def _summary(task: Task, data: dict[str, Any]) -> dict[str, str | None]:
    if task.kind != "sentence" or not isinstance(data.get("summary"), dict):
        return {}
    given = data["summary"]
    return {k: v.strip() if isinstance(v := given.get(k), str) and v.strip() else None for k in PARENTS}
