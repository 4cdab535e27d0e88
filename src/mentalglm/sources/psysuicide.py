"""PsySUICIDE (PsyGUARD, EMNLP 2024): eleven kinds of suicide, self-harm and aggression, in a task of its own.

Its kinds are finer than, and not the same as, our `suicide_risk`: an active or passive intent without a plan is `low`
there. Fold none of them into `high`; report by `data_source`, because most positives are in one of the four.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import tidy
from .source import TIDY, File, Place, Row, Source, Unusable

KINDS: dict[str, str] = {
    "自杀未遂": "suicide_attempt",
    "自杀准备行为": "suicide_preparation",
    "自杀计划": "suicide_plan",
    "主动自杀意图": "active_intent",
    "被动自杀意图": "passive_intent",
    "自伤行为": "self_harm",
    "自伤意图": "self_harm_intent",
    "用户攻击行为": "aggression_by_user",
    "他人攻击行为": "aggression_by_others",
    "关于自杀的探索": "exploration",
    "与自杀/自伤/攻击行为无关": "unrelated",
}


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    # The tidy form has the same fields, but for `id` in place of `idx`.
    if place.file.form == TIDY:
        yield from tidy.read(source, place, lambda row: _fields(row, str(row.get("id", ""))[len("psysuicide-") :]))
    else:
        yield from tidy.read(source, place, lambda row: _fields(row, str(row.get("idx", ""))))


def _fields(row: dict[str, Any], index: str) -> tidy.Fields:
    """`idx` counts within a data source, so that only both together name a row."""
    found = tidy.labels(row, KINDS)
    if not found["labels"]:
        raise Unusable("one_hot", "it has no kind; a post without any is of the kind 与自杀/自伤/攻击行为无关")
    flags = row.get("label")
    if isinstance(flags, list):
        if len(flags) != 11 or any(flag not in (0, 1) for flag in flags):
            raise Unusable("one_hot", "`label` is no list of eleven 0 or 1")
        if sum(flags) != len(found["labels"]):
            what = f"`labels` names {len(found['labels'])} and `label` marks {int(sum(flags))} kinds"
            raise Unusable("labels_disagree", what)
    if not index:
        raise Unusable("bad_json", "it has no idx")
    origin = str(row.get("data_source") or "unknown")
    return found | {"id_": f"psysuicide-{origin}-{index}", "extra": {"data_source": origin}}


SOURCE = Source(
    key="psysuicide",
    zh="PsySUICIDE 自杀、自伤与攻击的十一类",
    en="PsySUICIDE, eleven kinds",
    task="psysuicide",
    licence="MIT",
    paper="Qiu et al., PsyGUARD, EMNLP 2024",
    repository="qiuhuachuan/PsyGUARD",
    commit="e16397baaaa3",
    forms=("json", TIDY),
    files=(
        File("data/train.json", "train", "json"),
        File("data/valid.json", "validation", "json", 1480, 548324, 31102, "4c3dc1ad51b3b118c1c19c37d240e0d7"),
        File("data/test.json", "test", "json", None, 555095, 31208, "0c80014b71b80cc591c84ab46ccaaedc"),
        # The tidy rows are those of the published validation part, in its order.
        File("psysuicide/train.jsonl", "validation", TIDY, 1479, sha256="abc8cf0385490399"),
    ),
    read=read,
    about="four origins, one of them synthetic; an own task, never folded into suicide_risk",
)
