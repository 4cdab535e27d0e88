"""Reads what a server sent back: an answer, a refusal, something that cannot be read, or an error and what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mentalglm.build.item import Status
from mentalglm.build.teach.prices import Usage
from mentalglm.tasks import answer as answers
from mentalglm.tasks.answer import Answer, Unparsed
from mentalglm.tasks.task import Task

RAW_KEPT = 4000  # characters of an answer that is no answer
_FILTERED = {"content_filter", "sensitive"}  # finish reasons: OpenAI and Azure, Zhipu
# Codes and words with which a server's own filter turns a request away: OpenAI and Azure, Zhipu, Alibaba, DeepSeek.
_FILTER = re.compile(
    r"content_filter|content_policy|contentfilter|responsibleai|\b1301\b|data_inspection_failed|content exists risk|"
    r"sensitive_words|prompt_blocked|敏感内容|不安全或敏感",
    re.I,
)
_QUOTA = re.compile(
    r"insufficient_quota|insufficient_user_quota|insufficient balance|\b1113\b|arrears|欠费|余额不足", re.I
)
_SORRY = re.compile(
    r"^\W*(?:(?:非常|很|十分)?(?:抱歉|对不起|遗憾)|(?:作为|我是)(?:一个|一名)?(?:AI|人工智能|语言模型|大模型)|"
    r"我(?:无法|不能|没法|不便)(?:提供|协助|帮助|回答|满足|完成|继续|处理|参与|为)|"
    r"(?:i['’]?m|i am) (?:very |so |really )?(?:sorry|unable|not able)|sorry[,.]|"
    r"i (?:can(?:not|['’]t)|won['’]t|must decline)|as an ai)",
    re.I,
)
_CANNOT = re.compile(
    r"无法|不能|不便|没法|拒绝|不合适|热线|专业(?:的)?帮助|cannot|can['’]t|unable|won['’]t|not able|hotline|crisis line",
    re.I,
)


class Completion(NamedTuple):
    """A chat completion in what matters of it."""

    content: str
    refusal: str
    finish: str
    usage: Usage | None


class Judged(NamedTuple):
    """What an answer counts as, and why where it is not `ok`."""

    status: Status
    answer: Answer | None
    raw: str
    problem: str


class Fault(Exception):
    """A reply that is no answer. `kind`: `again` may be repeated (after `wait` seconds where the server named a time),
    `slower` too, and nobody else is to ask meanwhile,
    `filtered` was turned away by the server's filter, `quota`, `key` and `model` concern every request, `asked` is
    about how it was asked, `row` about this row."""

    def __init__(self, kind: str, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.wait = kind, message, wait


def completion(body: bytes) -> Completion:
    """Reads the body of a 200. Garbage, half a body or an empty answer is a Fault that may be repeated."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Fault("again", f"the server's answer is no JSON ({len(body)} bytes)") from None
    if isinstance(data, dict) and data.get("error") and not data.get("choices"):
        raise fault(200, body)
    try:
        choice = data["choices"][0]
        message = choice["message"]
        content, refusal = _text(message.get("content")), _text(message.get("refusal"))
        finish = choice.get("finish_reason") or ""
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Fault("again", "the server's answer has no choices") from None
    if not (content.strip() or refusal.strip() or finish in _FILTERED or finish == "length"):
        raise Fault("again", "the server's answer is empty")
    return Completion(content, refusal, str(finish), _usage(data.get("usage")))


def judge(task: Task, post: str, done: Completion) -> Judged:
    """Whether a completion is an answer about `post`, a refusal, or neither."""
    raw = done.content
    if done.refusal.strip():
        return Judged("refused", None, done.refusal[:RAW_KEPT], "the model refused (refusal field)")
    if done.finish in _FILTERED:
        return Judged("refused", None, raw[:RAW_KEPT], f"the server's filter stopped the answer ({done.finish})")
    try:
        answer = answers.parse(task, raw, post)
    except Unparsed as error:
        if refuses(raw):
            return Judged("refused", None, raw[:RAW_KEPT], "the model refused in words")
        cut = " (the answer was cut at max_tokens)" if done.finish == "length" else ""
        return Judged("unparsed", None, raw[:RAW_KEPT], f"{error}{cut}")
    if _SORRY.match(answer.explanation) and _CANNOT.search(answer.explanation[:200]):
        return Judged("refused", None, raw[:RAW_KEPT], "the model refused inside its JSON")
    return Judged("ok", answer, raw, "")


def refuses(text: str) -> bool:
    """Whether a text without an answer in it is a refusal: an apology or a reference to itself, or a hand-over to a
    hotline, near its beginning."""
    text = re.sub(r"<think>.*?</think>", "", text, flags=re.S).strip()[:400]
    if '"evidence"' in text:
        return False
    return bool(_SORRY.match(text)) or bool(re.search(r"(?:拨打|联系|寻求).{0,20}(?:热线|专业)", text[:200]))


def fault(status: int, body: bytes, wait: float | None = None) -> Fault:
    """What a reply that is no 200 means (or a 200 that holds an error)."""
    message, code, whole = _error(body)
    said = f"{code}: {message}" if code and message else message or code or f"HTTP {status}"
    if _FILTER.search(whole) and status in (200, 400, 403, 422, 451, 500):
        return Fault("filtered", f"the server's filter turned the request away ({code or status})")
    if status == 402 or (status in (200, 400, 403, 429) and _QUOTA.search(whole)):
        return Fault("quota", said)
    if status in (401, 403):
        return Fault("key", said)
    if status == 404:
        return Fault("model", said)
    if status == 429:
        return Fault("slower", "HTTP 429", wait)
    if status in (408, 409, 425) or status >= 500 or status == 200:
        return Fault("again", said if status == 200 else f"HTTP {status}", wait)
    if status in (400, 422):
        return Fault("asked", said)
    return Fault("row", f"HTTP {status}: {said}" if said != f"HTTP {status}" else said)


def _text(value: Any) -> str:
    if isinstance(value, list):  # some servers send parts
        return "".join(p.get("text") or "" for p in value if isinstance(p, Mapping))
    return value if isinstance(value, str) else ""


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    cached = cached if cached is not None else value.get("prompt_cache_hit_tokens")  # DeepSeek's name
    return Usage(_count(value.get("prompt_tokens")), _count(value.get("completion_tokens")), _count(cached))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _error(body: bytes) -> tuple[str, str, str]:
    """Message, code, and all the text of an error, in which its kind is looked for."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return "", "", text
    error = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(error, str):
        return error[:200], "", text
    if not isinstance(error, dict):
        return "", "", text
    whole = " ".join(str(error.get(k) or "") for k in ("code", "type", "param", "message"))
    message = " ".join(str(error.get("message") or "").split())[:200]
    return message, str(error.get("code") or error.get("type") or ""), whole
