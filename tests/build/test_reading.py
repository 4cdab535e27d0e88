"""What a server's reply counts as."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.build.teach import reading
from mentalglm.build.teach.reading import Completion, Fault, completion, fault, judge, refuses
from mentalglm.tasks import task as tasks

TASK = tasks.load("cognitive_distortion")
POST = "又被拒了，我做什么都不会成。"
GOOD = {
    "evidence": [{"label": "overgeneralization", "quote": "我做什么都不会成"}],
    "explanation": "由一次被拒推到所有的事。",
    "labels": ["overgeneralization"],
}


def _body(content: Any, finish: str = "stop", **more: Any) -> bytes:
    message = {"role": "assistant", "content": content, **more}
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}]}, ensure_ascii=False).encode()


def _judged(content: Any, finish: str = "stop", **more: Any) -> reading.Judged:
    return judge(TASK, POST, completion(_body(content, finish, **more)))


def test_an_answer_is_read() -> None:
    for text in (
        json.dumps(GOOD),
        f"```json\n{json.dumps(GOOD, ensure_ascii=False)}\n```",
        f"<think>嗯</think>{json.dumps(GOOD)}",
    ):
        judged = _judged(text)
        assert judged.status == "ok"
        assert judged.raw == text
        assert judged.answer is not None
        assert judged.answer.evidence[0].quote == "我做什么都不会成"
    assert _judged([{"type": "text", "text": json.dumps(GOOD)}]).status == "ok"


@pytest.mark.parametrize(
    "text",
    [
        "抱歉，我无法就这类内容提供帮助。",
        "很抱歉，作为一个人工智能助手，我不能参与这样的分析。",
        "对不起，这个请求我不便处理。",
        "我无法协助完成这项任务。",
        "作为AI语言模型，我不会对自杀相关内容作出判断。",
        "如果你正在经历困难，请拨打心理援助热线，或寻求专业帮助。",
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "As an AI, I am not able to analyse this.",
        "<think>用户要我分析……</think>\n抱歉，我不能帮忙。",
    ],
)
def test_a_refusal_is_a_status_of_its_own(text: str) -> None:
    judged = _judged(text)
    assert (judged.status, judged.raw) == ("refused", text)
    assert refuses(text)


def test_refusals_in_the_places_that_servers_have_for_them() -> None:
    assert _judged(None, refusal="I won't.").status == "refused"
    assert _judged("", "content_filter").status == "refused"
    assert _judged("半句", "sensitive").status == "refused"  # Zhipu
    inside = dict(GOOD, explanation="抱歉，我无法对此内容进行分析。", evidence=[], labels=[])
    assert _judged(json.dumps(inside, ensure_ascii=False)).status == "refused"


@pytest.mark.parametrize(
    "explanation",
    ["对不起父母的话在帖子里反复出现，是把责任都归到自己身上。", "“抱歉打扰了”一句之后，作者由一次被拒推到所有的事。"],
)
def test_words_of_regret_that_a_post_speaks_are_no_refusal(explanation: str) -> None:
    assert _judged(json.dumps(dict(GOOD, explanation=explanation), ensure_ascii=False)).status == "ok"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("标签是以偏概全。", "no JSON"),
        ('{"labels": ["happiness"], "explanation": "x", "evidence": []}', "unknown label"),
        ('{"labels": [], "evidence": []}', "explanation is missing"),
        ("{" * 3000, "no JSON"),
        ('{"evidence": [{"label": "labeling", "quote": "抱歉', "no JSON"),
    ],
)
def test_an_answer_that_cannot_be_read_says_why(text: str, said: str) -> None:
    judged = _judged(text)
    assert judged.status == "unparsed"
    assert said in judged.problem


def test_a_cut_answer_says_so_and_a_long_one_is_kept_in_part() -> None:
    judged = _judged("好" * 100_000, "length")
    assert judged.status == "unparsed"
    assert "cut at max_tokens" in judged.problem
    assert len(judged.raw) == reading.RAW_KEPT
    assert _judged("", "length").status == "unparsed"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"choices": [', b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": null}]}', b"\xff\xfe",
     b'{"choices": [{"message": {"content": ""}}]}', b"[" * 100_000, b'"x"', b"null"],
)  # fmt: skip
def test_garbage_may_be_asked_again(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        completion(body)
    assert caught.value.kind == "again"


@given(st.binary(max_size=300))
def test_no_bytes_are_a_crash(body: bytes) -> None:
    with contextlib.suppress(Fault):
        assert isinstance(completion(body), Completion)
    fault(400, body)


def _error(code: Any, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, _error("invalid_api_key", "Incorrect API key"), "key"),
        (403, _error(None, "forbidden"), "key"),
        (402, _error(None, "Insufficient Balance"), "quota"),  # DeepSeek
        (429, _error("insufficient_quota", "You exceeded your current quota"), "quota"),  # OpenAI
        (429, _error("1113", "Your account is in arrears"), "quota"),  # Zhipu
        (429, _error("1302", "High concurrency usage"), "slower"),
        (429, b"slow down", "slower"),
        (500, b"", "again"),
        (503, b"<html>", "again"),
        (408, b"", "again"),
        (400, _error("1301", "系统检测到输入或生成内容可能包含不安全或敏感内容"), "filtered"),  # Zhipu
        (400, _error("content_filter", "The response was filtered"), "filtered"),  # Azure
        (400, _error("data_inspection_failed", "Input data may contain inappropriate content."), "filtered"),  # Alibaba
        (400, _error("invalid_request_error", "Content Exists Risk"), "filtered"),  # DeepSeek
        (400, _error("unsupported_parameter", "response_format"), "asked"),
        (422, b"{}", "asked"),
        (404, _error("model_not_found", "no such model"), "model"),
        (200, _error("1301", "敏感内容"), "filtered"),
        (200, _error(None, "overloaded"), "again"),
        (302, b"", "row"),
        (413, b"", "row"),
    ],
)
def test_errors_mean_what_they_mean(status: int, body: bytes, kind: str) -> None:
    assert fault(status, body).kind == kind


def test_tokens_are_read_as_servers_write_them() -> None:
    def usage(value: Any) -> Any:
        data = json.loads(_body("x"))
        return completion(json.dumps(data | {"usage": value}).encode()).usage

    assert usage({"prompt_tokens": 9, "completion_tokens": 3}) == (9, 3, 0, False)
    openai = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}
    assert usage(openai) == (9, 3, 8, False)
    deepseek = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 7}
    assert usage(deepseek) == (9, 3, 7, False)
    assert usage(None) is None
    assert usage({"prompt_tokens": "many", "completion_tokens": -4}) == (0, 0, 0, False)
