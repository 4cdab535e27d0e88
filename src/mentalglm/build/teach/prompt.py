"""What a remote teacher is sent. The words stand in `prompts/*.md`; this fills their slots.

The order is the one that a server's prompt cache wants: what is the same for every post of a task (rules, labels,
codebook, examples) comes first and never changes by a byte, the post comes last. The post is data: it stands between
two marks that hold a number made from it, role tokens in it are inert, and the system prompt says that whatever stands
there is no instruction. The same holds for what a person wrote in it about labels: the gold is told outside the marks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mentalglm.build.item import Item, Mode
from mentalglm.build.teach.teacher import Request
from mentalglm.sources.labelled import Sentence
from mentalglm.tasks import answer as answers
from mentalglm.tasks import task as tasks
from mentalglm.tasks.task import Task

Message = dict[str, str]
NAMES = ("system", "given", "hidden", "retry")
_RISK = """
- past_attempt（帖子是否写到作者过去的自杀行为）：true 或 false
- `low` 的引文写出帖子确实表达了什么；等级为 0 时可以没有引文。说明里写“未见方法或计划”，不写“没有风险”。
"""
_SLOT = re.compile(r"\{\{(\w+)\}\}")


def build_messages(request: Request, guideline: str = "", examples: Iterable[Mapping[str, Any]] = ()) -> list[Message]:
    """The chat that asks `request`: the system's turn, the examples as turns, and the post.

    guideline: the task's codebook, as text. examples: `{"text", "answer"}` of the task, in the order in which they are
    shown.
    """
    task = tasks.load(request.item.task)
    return [*prefix(task, request.mode, guideline, examples), turn(task, request)]


def prefix(task: Task, mode: Mode, guideline: str, examples: Iterable[Mapping[str, Any]]) -> list[Message]:
    """The turns that are the same for every post of a task in a mode."""
    messages = [{"role": "system", "content": _system(task, guideline)}]
    for example in examples:
        asked = Request(_example(task, example), mode)
        messages += [turn(task, asked), {"role": "assistant", "content": _answer(example["answer"])}]
    return messages


def turn(task: Task, request: Request) -> Message:
    """The user's turn with the post."""
    slots = {"gold": gold(task, request.item), "post": between_marks(request.item.text), "retry": ""}
    if request.complaints:
        wrong = "\n".join(f"- {answers.inert(' '.join(c.split()))}" for c in request.complaints)
        slots["retry"] = _fill(words("retry"), {"complaints": wrong})
    return {"role": "user", "content": re.sub(r"\n{2,}(?=【帖子 )", "\n", _fill(words(request.mode), slots))}


def between_marks(post: str) -> str:
    """The post between two marks which hold a number that the post does not."""
    salt = 0
    while (number := _number(salt, post)) in post:
        salt += 1
    return f"【帖子 {number} 开始】\n{answers.inert(post)}\n【帖子 {number} 结束】"


def _number(salt: int, post: str) -> str:
    return hashlib.sha256(f"{salt}\n{post}".encode("utf-8", "surrogatepass")).hexdigest()[:8]


def gold(task: Task, item: Item) -> str:
    """What the annotators said, a line a fact."""
    lines = [f"- `{key}` {task.label(key).zh}" for key in item.labels] or ["- 没有标签（labels 为空）"]
    if item.level is not None and (gloss := next((g for g in task.levels if g.key == str(item.level)), None)):
        lines.append(f"- 强度等级（level）：{item.level}（{gloss.zh}）")
    for sentence in item.sentences:
        if sentence.labels:
            keys = "、".join(f"`{key}`" for key in sentence.labels)
            lines.append(f"- 句子“{answers.inert(item.text[sentence.start : sentence.end].strip())}”：{keys}")
    return "\n".join(lines)


@cache
def words(name: str) -> str:
    """The text of a prompt file."""
    return (Path(__file__).parent / "prompts" / f"{name}.zh.md").read_text(encoding="utf-8").strip()


def _fill(template: str, slots: Mapping[str, str]) -> str:
    """Fills every slot once: what stands in a slot is not looked at again."""
    return _SLOT.sub(lambda found: slots.get(found[1], found[0]), template)


def _system(task: Task, guideline: str) -> str:
    slots = {
        "title": task.zh,
        "task": task.name,
        "version": task.version,
        "question": task.question_zh,
        "about": task.about_zh,
        "labels": "\n".join(_label(task, key) for key in task.keys),
        "further": _further(task),
        "guideline": guideline.strip() or "（无，以上面的定义为准。）",
        "form": _form(task),
        "count": "恰好写一个。" if task.kind == "single" else "可以有几个；一个也不符合时写空数组 []。",
    }
    return _fill(words("system"), slots)


def _label(task: Task, key: str) -> str:
    label = task.label(key)
    head = f"- `{key}` {label.zh}：{label.definition_zh}"
    return f"{head}辨析：{label.unlike_zh}" if label.unlike_zh else head


def _further(task: Task) -> str:
    if task.name == "suicide_risk":
        parts = [("level（强度等级，0 到 10 的整数）", task.levels), ("expression（表达）", task.expressions),
                 ("subject（说的是谁）", task.subjects)]  # fmt: skip
        lists = (f"- {name}：" + "；".join(f"`{g.key}` {g.zh}" for g in glosses) for name, glosses in parts)
        return "\n# 另外四项\n" + "\n".join(lists) + _RISK
    if task.kind == "sentence":
        return (
            "\n# 逐句与概括\n- evidence 的每一处引文是帖子里的一整句（不带句末标点），带一个子标签；"
            "一句有两个标签就写两次，没有标签的句子不写。\n- labels 写全部子标签和它们的父标签。\n"
            "- summary 为四个父标签各写一句第三人称的概括（“作者……”），只依据帖子；帖子里没有的一环写 null。\n"
        )
    return ""


def _form(task: Task) -> str:
    form = '{"evidence": [{"label": "标签键", "quote": "帖子原话"}], "explanation": "……", "labels": ["标签键"]'
    if task.name == "suicide_risk":
        form += ', "level": 0, "expression": "none", "subject": "self", "past_attempt": false'
    if task.kind == "sentence":
        form += ', "summary": {"event": "……", "belief": "……", "consequence": "……", "disputation": null}'
    return form + "}"


def _answer(answer: Mapping[str, Any]) -> str:
    return answers.inert(json.dumps(answer, ensure_ascii=False))


def _example(task: Task, example: Mapping[str, Any]) -> Item:
    """An example as an item, so that its turn reads as that of a post does."""
    text, answer = example["text"], example["answer"]
    found: dict[tuple[int, int], list[str]] = {}
    if task.kind == "sentence":
        for quote in answer["evidence"]:
            if (at := text.find(quote["quote"])) >= 0:
                found.setdefault((at, at + len(quote["quote"])), []).append(quote["label"])
    sentences = tuple(Sentence(*span, tuple(labels)) for span, labels in sorted(found.items()))
    return Item("", "", task.name, text, tuple(answer["labels"]), "", answer.get("level"), sentences)
