"""A model that answers at once, by key words and with the right offsets: for tests of what surrounds a model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mentalglm import tasks as task_list
from mentalglm.schema import Post, Record, error_record, ok_record

LABEL_WORDS = {
    "labeling": r"废物|没用的人",
    "overgeneralization": r"做什么都不会成|永远",
    "fortune_telling": r"这辈子大概也就这样了|不会再有人\w*",
    "mind_reading": r"他们肯定都觉得我很烦",
    "self_blame": r"都是因为我",
    "should_statements": r"我必须\w*|不应该\w*",
}
PATHWAY = {
    "event.emotion": r"分手",
    "belief.jumping_to_conclusions": r"不会再有人",
    "consequence.emotional": r"一想起来就哭",
    "disputation.effective": r"后来还是",
}
PLAN, WISH, OTHER = r"就定在这个\w+|信写完了", r"不要再醒过来|彻底消失", r"她已经选好了日子"


class FakeModel:
    """`name` fake; a post with the word 坏 in it fails, so that failures can be tested."""

    name, revision = "fake", "0123456789abcdef"

    def __init__(self, chunk: int = 4) -> None:
        self.chunk, self.seen = chunk, 0

    def analyze(
        self, posts: Iterable[Post | str], *, tasks: Sequence[str] | None = None, lang: str = "zh"
    ) -> Iterator[Record]:
        waiting: list[Post] = []
        for number, post in enumerate(posts, 1):
            waiting.append(Post(str(number), post) if isinstance(post, str) else post)
            if len(waiting) == self.chunk:
                yield from (self._record(p, tasks, lang) for p in waiting)
                waiting = []
        yield from (self._record(p, tasks, lang) for p in waiting)

    def _record(self, post: Post, tasks: Sequence[str] | None, lang: str) -> Record:
        self.seen += 1
        model = {"name": self.name, "revision": self.revision}
        if not post.text.strip():
            return error_record(post.id, "empty_text", "the text is empty", model)
        if "坏" in post.text:
            return error_record(post.id, "model", "the model failed on this post", model)
        make = {"suicide_risk": risk, "cognitive_distortion": distortion, "cognitive_pathway": pathway}
        return ok_record(post.id, {n: make[n](post.text, lang) for n in tasks or task_list.NAMES}, model)


def evidence(text: str, words: dict[str, str]) -> list[dict[str, Any]]:
    found = [
        {"label": label, "start": m.start(), "end": m.end(), "quote": m[0]}
        for label, pattern in words.items()
        for m in re.finditer(pattern, text)
    ]
    return sorted(found, key=lambda e: (e["start"], e["label"]))


def risk(text: str, lang: str) -> dict[str, Any]:
    spans = evidence(text, {"high": PLAN})
    p = 0.94 if spans else 0.41 if re.search(WISH, text) else 0.03
    level = 9 if spans else 4 if re.search(WISH, text) else 0
    other = bool(re.search(OTHER, text))
    quotes = "、".join(f"“{e['quote']}”" for e in spans)
    zh = f"帖子写到{quotes}，已经出现明确的时间与告别。" if spans else "没有看到具体的方法、时间或准备。"
    return {
        "labels": ["high" if p >= 0.5 else "low"],
        "probabilities": {"low": round(1 - p, 4), "high": p},
        "evidence": spans,
        "explanation": zh if lang == "zh" else "The post names a time." if spans else "No method or plan is seen.",
        "abstained": 0.3 < p < 0.6,
        "level": level,
        "expression": "imminent" if level == 9 else "wish" if level == 4 else "none",
        "subject": "other" if other else "self" if level else "none",
        "past_attempt": "自杀未遂" in text,
    }


def distortion(text: str, lang: str) -> dict[str, Any]:
    spans = evidence(text, LABEL_WORDS)
    held = {e["label"] for e in spans}
    keys = task_list.load("cognitive_distortion").keys
    p = {
        k: round(0.7 + 0.2 * abs(math.sin(i + 1)), 4) if k in held else round(0.02 * (i + 1), 4)
        for i, k in enumerate(keys)
    }
    quotes = "、".join(f"“{e['quote']}”" for e in spans)
    return {
        "labels": [k for k in keys if k in held],
        "probabilities": p,
        "evidence": spans,
        "explanation": f"{quotes}把一件事说成了对自己整个人的评价。" if spans else "没有看到认知歪曲的表述。",
        "abstained": False,
    }


def pathway(text: str, lang: str) -> dict[str, Any]:
    keys = task_list.load("cognitive_pathway").keys
    sentences, spans = [], []
    for m in re.finditer(r"[^。！？\s][^。！？]*[。！？]?", text):
        held = [k for k, pattern in PATHWAY.items() if re.search(pattern, m[0])]
        both = [k for k in keys if k in held or any(h.startswith(k + ".") for h in held)]
        p = {k: 0.81 if k in both else 0.04 for k in keys}
        sentences.append({"start": m.start(), "end": m.end(), "labels": both, "probabilities": p})
        spans += [{"label": k, "start": m.start(), "end": m.end(), "quote": m[0]} for k in held]
    union = [k for k in keys if any(k in s["labels"] for s in sentences)]
    return {
        "labels": union,
        "probabilities": {k: max((s["probabilities"][k] for s in sentences), default=0.04) for k in keys},
        "evidence": spans,
        "explanation": "帖子从一件事写到由它引出的想法与感受。" if union else "没有看到认知路径的环节。",
        "abstained": False,
        "sentences": sentences,
        "measured_on": "synthetic",
    }
