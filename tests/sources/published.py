"""Invented posts in the forms that sets are published in: encodings, line ends, separators and headers as there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from mentalglm.sources.socialcd_3k import NAMES

POSTS = (
    ("窗台上的薄荷又枯了一盆，我也一样", 0),
    ("票已经买好，周五夜里去那座桥，不回来了", 1),
    ("加班到两点，回家路上一个人都没有", 0),
    ("信写完了放在抽屉里，今晚就走", 1),
)
LEVELS = (("楼下的猫今天没来", 0), ("真不想再醒过来了", 4), ("药都攒好了", 8))
DISTORTIONS = (
    ("这次没评上，我这辈子都评不上了", ("以偏概全", "先知错误")),
    ("我就是块烂木头", ("乱贴标签",)),
    ("都怪我没提醒他带伞", ("罪责归己",)),
)
KINDS = (
    (12, "前年试过一次，没成", ["自杀未遂"], "social_media"),
    (12, "今天食堂的面条不错", ["与自杀/自伤/攻击行为无关"], "synthetic"),
    (7, "想死，也想打他", ["主动自杀意图", "用户攻击行为"], "client_counselor"),
)
_VECTOR = ["自杀未遂", "自杀准备行为", "自杀计划", "主动自杀意图", "被动自杀意图", "自伤行为", "自伤意图", "用户攻击行为",
           "他人攻击行为", "关于自杀的探索", "与自杀/自伤/攻击行为无关"]  # fmt: skip


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def llm(posts: Sequence[tuple[str, int]] = POSTS) -> str:
    return "".join(f"{r}\r\n" for r in ["id\tlabel\tcomment", *(f"{n}\t{y}\t{t}" for n, (t, y) in enumerate(posts, 1))])


def bert(posts: Sequence[tuple[str, int]] = POSTS) -> bytes:
    return "".join(f"{y}\t{1 - y}\t{t}\r\n" for t, y in posts).encode("gb18030")


def chat(posts: Sequence[tuple[str, int]] = POSTS) -> str:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "请预测。"},
                {"role": "user", "content": text},
                {"role": "assistant", "content": "高自杀风险" if label else "低自杀风险"},
            ]
        }
        for text, label in posts
    ]
    return jsonl(rows)


def jsonl(rows: Sequence[object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def socialcd(header: bool = True, end: str = "\n") -> str:
    rows = ["\t".join([*NAMES, "内容"])] if header else []
    rows += ["\t".join([*(str(int(name in labels)) for name in NAMES), text]) for text, labels in DISTORTIONS]
    return "\n".join(rows) + end


def levels(explained: bool = False, end: str = "\n") -> str:
    rows = ["comment\tmyLabel\texplain" if explained else "comment\tmyLabel"]
    rows += [f"{t}\t{y}" + (f"\t该用户发言中“{t}”表明……" if explained else "") for t, y in LEVELS]
    return "\n".join(rows) + end


def psysuicide() -> str:
    rows = [
        {
            "idx": idx,
            "text": text,
            "labels": kinds,
            "data_source": origin,
            "label": [float(k in kinds) for k in _VECTOR],
        }
        for idx, text, kinds, origin in KINDS
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def instruction(post: str, question: str, response: str) -> tuple[str, str]:
    return f'Consider this post: "{post}" Question: {question}', response
