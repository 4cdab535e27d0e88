"""The ablations of how an answer is put: label only, label first, label before and after the reasons.

The form of the series is `reasons_first` (contract 6); IMHI's own grammar puts the label first, whatever a stage says of
the Chinese answers. The other forms change the instruction with the answer, so that nothing is asked that is not given.
"""

from __future__ import annotations

import json

from mentalglm.tasks import NAMES

_ASK = "用 JSON 回答："
_REASONS = "先写 evidence（逐字引用帖子里的词句，各带一个标签），再写 explanation（中文说明），最后写"
_POST = "\n帖子："


def apply(form: str, task: str, user: str, answer: str) -> tuple[str, str]:
    """The exchange in `form`: (user, answer). What is no JSON answer of a task stays, but for IMHI's `label_only` and
    `labels_twice`."""
    if form == "reasons_first":
        return user, answer
    if task.startswith("imhi_"):
        return user, _imhi(form, answer)
    if task not in NAMES:
        return user, answer
    before, after = user.split(_REASONS, 1)
    wanted, post = after.split(_POST, 1)
    given = json.loads(answer)
    labels = {"labels": given.pop("labels")}
    reasons = {k: given.pop(k) for k in ("evidence", "explanation")}
    quoted = "evidence（逐字引用帖子里的词句，各带一个标签）"
    asked, said = {
        "label_only": (f"只写{wanted}", labels | given),
        "labels_first": (
            f"先写{wanted}，再写 {quoted}，最后写 explanation（中文说明）",
            labels | given | reasons,
        ),
        "labels_twice": (
            f"先写 first_labels（初步判断的标签），再写 {quoted}和 explanation（中文说明），最后写{wanted}",
            {"first_labels": labels["labels"]} | reasons | labels | given,
        ),
    }[form]
    asked = asked if asked.endswith("。") else asked.replace("。", "") + "。"
    return before + asked + _POST + post, json.dumps(said, ensure_ascii=False)


def _imhi(form: str, answer: str) -> str:
    head, mark, _ = answer.partition("Reasoning:")
    if form == "label_only" or not mark:
        return head.strip()
    return f"{answer.strip()} {head.strip()}" if form == "labels_twice" else answer
