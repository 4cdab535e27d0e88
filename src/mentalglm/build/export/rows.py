"""A row of a dataset: its fields, its check, and its messages, which can be made anew from the other fields.

The messages of a Chinese row are rendered by `tasks.answer`, so that what is trained on is what is asked at inference
(contract 6). An English IMHI row keeps the question and the answer as published.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from mentalglm import tasks
from mentalglm.tasks import answer
from mentalglm.tasks.answer import FURTHER, PARENTS, Answer, Quote, inert

from . import fields
from .fields import Field

SPLITS = ("train", "validation", "test")
SUMMARY = "pathway_summary"  # derived from the pathway: one sentence a parent
IMHI = "imhi_"  # English tasks, question and answer as published

_EVIDENCE = {
    "label": Field("str", "label that the quote shows", "这段引文所体现的标签"),
    "start": Field("int", "first code point in `text`", "在 `text` 中的起点（码位）"),
    "end": Field("int", "one past the last code point", "终点（不含）"),
    "quote": Field("str", "exactly `text[start:end]`", "即 `text[start:end]`"),
}
_SENTENCE = {
    "start": Field("int", "first code point in `text`", "在 `text` 中的起点（码位）"),
    "end": Field("int", "one past the last code point", "终点（不含）"),
    "labels": Field("strs", "labels of the sentence", "这句话的标签"),
}
_SUMMARY = {name: Field("str", f"one sentence on {name}", f"{name} 一句话", null=True) for name in PARENTS}
_MESSAGE = {
    "role": Field("str", "`user` or `assistant`", "`user` 或 `assistant`"),
    "content": Field("str", "what is said", "内容"),
}

FIELDS: dict[str, Field] = {
    "id": Field("str", "content key and task", "内容键加任务名"),
    "key": Field("str", "content key of the post: one for all its copies", "帖子的内容键，同一帖子的各个副本共用"),
    "task": Field("str", "task", "任务"),
    "split": Field("str", "`train`, `validation` or `test`; one per key", "划分，同一内容键只在一处"),
    "text": Field("str", "the post", "帖子原文"),
    "labels": Field("strs", "gold labels, parents included; empty where none holds", "标准标签（含父标签），没有则为空"),
    "level": Field("int", "0–10: the annotators', else the teacher's reading; no clinical scale",
                   "0–10 级：取标注者的级别，没有则为教师的读法；非临床量表", True),
    "expression": Field("str", "none, pain, wish, plan, imminent (suicide_risk)", "表达（自杀风险）", True),
    "subject": Field("str", "self, other, unclear, none (suicide_risk)", "说的是谁（自杀风险）", True),
    "past_attempt": Field("bool", "whether a past attempt is told (suicide_risk)", "是否提到过去的自杀行为", True),
    "evidence": Field("objects", "quotes, each with its label", "引文，各带一个标签", parts=_EVIDENCE),
    "explanation": Field("str", "why, in Chinese (English for IMHI)", "中文说明（IMHI 为英文）"),
    "sentences": Field("objects", "labels by sentence (pathway)", "逐句标签（认知路径）", parts=_SENTENCE),
    "summary": Field("object", "one sentence a parent (pathway)", "每个环节一句话（认知路径）", True, _SUMMARY),
    "messages": Field("objects", "the turn of the user and that of the assistant", "用户与助手各一轮", parts=_MESSAGE),
    "source_ids": Field("strs", "rows of the published files", "所据的原始数据行"),
    "sources": Field("strs", "published sets that hold the post", "收有此帖的公开数据集"),
    "published_parts": Field("strs", "their splits as published, SOURCE:PART", "原数据集的划分，写作 SOURCE:PART"),
    "label_from": Field("str", "source or rule that the label is from", "标签出自哪个来源或规则"),
    "disagrees": Field("str", "how another source's label differs; empty where none does", "别的来源的不同标签，没有则为空"),
    "teacher": Field("str", "who wrote the explanation", "说明由谁写成"),
    "mode": Field("str", "whether the teacher was told the label: given or hidden", "写说明时是否已知标签：given 或 hidden"),
    "attempts": Field("int", "answers asked for until one passed the checks", "通过检查前问过几次"),
    "hidden_labels": Field("strs", "labels that a teacher found without being told", "未告知标签时教师给出的标签", True),
    "hidden_agrees": Field("bool", "whether they are the gold labels", "是否与标准标签一致", True),
    "verdict": Field("str", "an expert's verdict: accepted, edited, or empty", "专家意见：accepted、edited，或空"),
    "licence": Field("str", "licence of the post's source", "来源的许可"),
}  # fmt: skip


def problems(row: dict[str, Any]) -> list[str]:
    """What keeps `row` out of a dataset, in words that quote nothing of the post; empty if nothing."""
    found = fields.problems(row, FIELDS)
    if found:
        return found
    text = row["text"]
    if row["split"] not in SPLITS:
        found.append("split: not train, validation or test")
    if row["verdict"] not in ("", "accepted", "edited"):
        found.append("verdict: not empty, accepted or edited")
    if [m["role"] for m in row["messages"]] != ["user", "assistant"]:
        found.append("messages: not one turn of the user and one of the assistant")
    found += _label_problems(row)
    for i, quote in enumerate(row["evidence"]):
        if not 0 <= quote["start"] < quote["end"] <= len(text):
            found.append(f"evidence[{i}]: no span of the post")
        elif text[quote["start"] : quote["end"]] != quote["quote"]:
            found.append(f"evidence[{i}]: the quote is not what stands at its span")
    for i, sentence in enumerate(row["sentences"]):
        if not 0 <= sentence["start"] < sentence["end"] <= len(text):
            found.append(f"sentences[{i}]: no span of the post")
    return found


def _label_problems(row: dict[str, Any]) -> list[str]:
    name, labels = row["task"], row["labels"]
    if name.startswith(IMHI):
        return []
    if name != SUMMARY and name not in tasks.NAMES:
        return ["task: unknown"]
    task = tasks.load("cognitive_pathway" if name == SUMMARY else name)
    found = [] if set(labels) <= set(task.keys) else ["labels: not labels of the task"]
    if task.kind == "single" and len(labels) != 1:
        found.append("labels: not exactly one")
    if name == SUMMARY and row["summary"] is None:
        found.append("summary: null")
    return found


def messages_of(row: dict[str, Any]) -> list[dict[str, str]]:
    """The two turns of a row, from its other fields; `row` need not have `messages`, unless its task is English IMHI's,
    whose turns are kept as published. An unknown task is a UserError."""
    if row["task"].startswith(IMHI):
        return row["messages"]
    post = row["text"]
    if row["task"] == SUMMARY:
        user = f"{summary_instruction()}\n帖子：{inert(post)}"
        summary = {k: None if v is None else inert(v) for k, v in (row["summary"] or dict.fromkeys(PARENTS)).items()}
        assistant = json.dumps({"summary": summary}, ensure_ascii=False)
    else:
        task = tasks.load(row["task"])
        user = answer.render(task, post)
        quotes = tuple(Quote(q["label"], q["start"], q["end"], q["quote"]) for q in row["evidence"])
        further = {name: row[name] for name in FURTHER}
        assistant = answer.write(task, Answer(quotes, row["explanation"], tuple(row["labels"]), further))
    return [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]


def instruction_of(task: str) -> str:
    """What is asked of a post under a Chinese task, without the post."""
    return summary_instruction() if task == SUMMARY else answer.instruction(tasks.load(task))


@cache
def summary_instruction() -> str:
    """What is asked of a post under `pathway_summary`, without the post."""
    task = tasks.load("cognitive_pathway")
    names = "、".join(f"{name}（{task.label(name).zh}）" for name in PARENTS)
    return (
        f"考虑以下这个帖子。请按认知路径的四个环节 {names} 各用一句话概括帖子的内容，只依据帖子本身；"
        "帖子里没有的环节写 null。用 JSON 回答，形如 {\"summary\": {\"event\": …, \"belief\": …, \"consequence\": …, "
        "\"disputation\": …}}。"
    )  # fmt: skip


# Raw in JSON, these end a line for `str.splitlines` (not for JSON Lines): written as escapes, no reader can split a row.
_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def line(value: Any) -> str:
    """One line of JSON Lines, without its line feed."""
    return json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS)
