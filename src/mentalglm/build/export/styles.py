"""The same row in the styles that other tools train from: Alpaca, IMHI's query and response, messages alone."""

from __future__ import annotations

from typing import Any

from mentalglm import tasks
from mentalglm.tasks import Task
from mentalglm.tasks.answer import PARENTS, inert

from . import rows
from .rows import IMHI, SUMMARY

SUMMARY_QUESTION = "请按触发性事件、认知歪曲、情绪反应、驳斥四个环节各用一句话概括。"


def alpaca(row: dict[str, Any]) -> dict[str, str]:
    """`instruction`, `input` (the post, role tokens inert), `output`. An English IMHI row keeps its whole query."""
    query, response = (m["content"] for m in row["messages"])
    if row["task"].startswith(IMHI):
        return {"instruction": query, "input": "", "output": response}
    return {"instruction": rows.instruction_of(row["task"]), "input": inert(row["text"]), "output": response}


def imhi(row: dict[str, Any]) -> dict[str, str]:
    """`query` and `response` in the grammar of IMHI (label first, then the reasons), in Chinese for Chinese rows."""
    if row["task"].startswith(IMHI):
        query, response = (m["content"] for m in row["messages"])
        return {"query": query, "response": response}
    question = SUMMARY_QUESTION if row["task"] == SUMMARY else tasks.load(row["task"]).question_zh
    said = summary_sentence(row["summary"]) if row["task"] == SUMMARY else label_sentence(row["task"], row["labels"])
    reasons = f" 推理：{inert(row['explanation'])}" if row["explanation"] else ""
    return {"query": f'考虑以下这个帖子："{inert(row["text"])}" 问题：{question}', "response": said + reasons}


def messages(row: dict[str, Any]) -> dict[str, Any]:
    """The two turns alone, as TRL and LLaMA-Factory take them."""
    return {"messages": row["messages"]}


def label_sentence(name: str, labels: list[str]) -> str:
    """One sentence that names the labels, as IMHI's answers begin."""
    task = tasks.load(name)
    if name == "suicide_risk":
        return {
            "high": "该帖子属于高自杀风险：出现方法或计划。",
            "low": "该帖子属于低自杀风险：未见方法或计划，不等于没有风险。",
        }[labels[0]]
    if not labels:
        return f"该帖子没有体现{task.zh}。"
    return f"该帖子体现了以下{task.zh}：{_names(task, labels)}。"


def _names(task: Task, labels: list[str]) -> str:
    tops = [key for key in task.keys if task.parent(key) is None and key in labels]
    out: list[str] = []
    for top in tops:
        children = [task.label(key).zh for key in task.keys if task.parent(key) == top and key in labels]
        out.append(task.label(top).zh + (f"（{'、'.join(children)}）" if children else ""))
    return "、".join(out)


def summary_sentence(summary: dict[str, str | None] | None) -> str:
    """The pathway's summary as one line: each step that is there, with its sentence."""
    task = tasks.load("cognitive_pathway")
    steps = [f"{task.label(name).zh}：{inert(said)}" for name in PARENTS if (said := (summary or {}).get(name))]
    return " ".join(steps) or f"该帖子没有体现{task.zh}。"
