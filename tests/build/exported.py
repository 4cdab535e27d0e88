"""Invented rows for the tests of the export and of publishing."""

from __future__ import annotations

from datetime import date
from typing import Any

from mentalglm.build.export import Figure, Meta, Said, Source, Teacher, messages_of

POST = "今天组会又被点名，老板肯定觉得我是个废物。我什么都做不好。"
META = Meta(
    date=date(2026, 1, 2),
    command="mentalglm build recipes/invented.toml",
    sources=(
        Source(name="invented", title="Invented | set", paper="Nobody 2026", paper_url="https://example.org/p"),
        Source(name="written", title="Written", licence="Apache-2.0", synthetic=True),
    ),
    teachers=(Teacher(name="offline", mode="given"),),
    prompts=("prompts/none",),
    checks=(Said(en="every quote verbatim", zh="引文逐字"),),
    splits=(Said(en="a tenth cut by key", zh="按内容键切出一成"),),
    figures=(Figure(en="fabricated quotes", zh="捏造的引文", value="0 of 8"),),
)


def row(number: int = 0, task: str = "cognitive_distortion", split: str = "train", **more: Any) -> dict[str, Any]:
    """A finished row; `more` replaces fields before the messages are made."""
    text = more.pop("text", f"{POST}（{number}）")
    out: dict[str, Any] = {
        "id": f"key{number:05}-{task}",
        "key": f"key{number:05}",
        "task": task,
        "split": split,
        "text": text,
        "labels": ["mind_reading"],
        "level": None,
        "expression": None,
        "subject": None,
        "past_attempt": None,
        "evidence": [{"label": "mind_reading", "start": 9, "end": 20, "quote": text[9:20]}],
        "explanation": "作者断定“老板肯定觉得我是个废物”，却没有说对方表示过什么。",
        "sentences": [],
        "summary": None,
        "messages": [],
        "source_ids": [f"invented-train-{number:04}"],
        "sources": ["invented"],
        "published_parts": ["invented:train"],
        "label_from": "invented",
        "disagrees": "",
        "teacher": "offline",
        "mode": "given",
        "attempts": 1,
        "hidden_labels": None,
        "hidden_agrees": None,
        "verdict": "",
        "licence": "none stated",
    }
    steps = {
        "event": "作者在组会上被点名。",
        "belief": "作者认为老板看不起自己。",
        "consequence": None,
        "disputation": None,
    }
    if task == "suicide_risk":
        out |= {"labels": ["low"], "evidence": [], "level": 2, "expression": "pain", "subject": "self"}
        out |= {"past_attempt": False, "explanation": "只写了被批评后的自责，未见方法或计划。"}
    elif task == "cognitive_pathway":
        event = {"label": "event.study_work", "start": 0, "end": 8, "quote": text[:8]}
        out |= {"labels": ["event", "event.study_work"], "evidence": [event], "summary": steps}
        out |= {"sentences": [{"start": 0, "end": 9, "labels": ["event.study_work"]}]}
        out |= {"explanation": "“今天组会又被点名”是引出后面想法的事。"}
    elif task == "pathway_summary":
        out |= {"labels": ["event"], "evidence": [], "summary": steps, "explanation": ""}
    elif task.startswith("imhi_"):
        out |= {"text": "I failed again and cannot sleep.", "labels": ["yes"], "explanation": "They cannot sleep."}
        out |= {"evidence": [{"label": "yes", "start": 0, "end": 8, "quote": "I failed"}]}
        query = f'Consider this post: "{out["text"]}" Question: Does the poster suffer from stress?'
        response = "Yes, the poster suffers from stress. Reasoning: They cannot sleep."
        out["messages"] = [{"role": "user", "content": query}, {"role": "assistant", "content": response}]
    out |= more
    out["messages"] = messages_of(out)
    return out


TASKS = ("cognitive_distortion", "suicide_risk", "cognitive_pathway", "pathway_summary", "imhi_dreaddit")


def many(n: int = 40) -> list[dict[str, Any]]:
    """Rows of every task, task by task, in all splits; the second half is hidden mode, and one has a verdict."""
    out = []
    for i in range(n):
        split = ("validation", "test")[i % 2] if i % 4 == 0 or i % 4 == 3 else "train"
        hidden = {"mode": "hidden", "hidden_labels": ["labeling"], "hidden_agrees": False} if i >= n // 2 else {}
        out.append(row(i, TASKS[i * len(TASKS) // n], split, **hidden))
    return out
