"""What the terminal card and the HTML page show of a record, so that both say the same and neither says too much."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from mentalglm import tasks
from mentalglm.schema import Record

# The published label `low` holds a plain wish to die without a plan: it is never shown as "low risk", and never green.
LOW = ("未见方法或计划（不等于没有风险）", "no method or plan seen (not the same as no risk)")
NONE_FOUND = {
    "cognitive_distortion": ("未见认知歪曲", "no distortion seen"),
    "cognitive_pathway": ("未见认知路径", "no pathway seen"),
}
EXPRESSION = {
    "none": ("未见自杀表达", "no expression"),
    "pain": ("痛苦", "pain"),
    "wish": ("求死愿望", "a wish to die"),
    "plan": ("方法或计划", "method or plan"),
    "imminent": ("可能即将或正在发生", "soon or under way"),
}
SUBJECT = {
    "self": ("作者本人", "the author"),
    "other": ("他人可能正有危险", "another person may be at risk"),
    "unclear": ("主体不明", "unclear whose"),
    "none": ("未谈及风险", "no risk spoken of"),
}
NOTICE = (
    "仅供研究使用。结果用于辅助专业人员判断，不构成诊断，也不能代替与当事人的接触。",
    "Research use only. It supports people's judgement and never replaces it; it is no diagnosis.",
)
SYNTHETIC = ("依据合成帖子训练与测量", "measured on synthetic posts")
NOT_SURE = ("不确定", "not sure")
NOTES = {  # of a record
    "windows": ("长帖，分段读取", "a long post, read in windows"),
    "not_chinese": (
        "中文很少：模型只为中文帖子测量过，拿不准",
        "little Chinese: the model was measured on Chinese posts only",
    ),
}
ERRORS = {  # in Chinese; a record says it in English, with more of the circumstances
    "empty_text": "正文是空白",
    "missing_text": "这一行没有正文",
    "not_text": "正文一栏不是文字",
    "bad_json": "这一行不是 JSON 对象",
    "bad_row": "表格的这一行读不出来",
    "encoding": "这一行的编码读不出来",
    "unparsed": "模型的回答读不出来",
    "too_long": "帖子太长，模型读不下",
    "model": "模型处理这条帖子时出错",
    "remote": "远程模型没有应答",
}


class Both(NamedTuple):
    """The same in Chinese and English; `[0]` and `[1]`, or by name."""

    zh: str
    en: str

    def at(self, lang: str) -> str:
        return self.en if lang == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Shown:
    """A label, its probability (None where the model gives none), whether it holds, and its tone (a colour's name)."""

    key: str
    name: Both
    probability: float | None
    holds: bool
    tone: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A further output of a task: what it is, its value, and whether it asks for attention."""

    name: Both
    value: Both
    alert: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    labels: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One task of one record, ready to be shown."""

    task: str
    title: Both
    single: bool
    abstained: bool
    headline: Both
    tone: str
    labels: tuple[Shown, ...]
    explanation: str
    facts: tuple[Fact, ...] = ()
    level: int | None = None
    sentences: tuple[Sentence, ...] = ()
    notes: tuple[Both, ...] = ()
    error: str = ""

    @property
    def held(self) -> tuple[Shown, ...]:
        return tuple(label for label in self.labels if label.holds)

    @property
    def others(self) -> tuple[Shown, ...]:
        """The labels that do not hold, the likeliest first."""
        rest = [label for label in self.labels if not label.holds]
        return tuple(sorted(rest, key=lambda label: -(label.probability or 0)))


def views(record: Record, text: str) -> list[View]:
    """The tasks of a record in the order of the series; none for a row that failed."""
    analyses: dict[str, Any] = record.get("analyses", {})
    shown = [_view(name, analyses[name], text) for name in tasks.NAMES if name in analyses]
    if shown:
        said = [Both(*words) for note, words in NOTES.items() if note in record.get("notes", ())]
        shown[0] = replace(shown[0], notes=(*shown[0].notes, *said))
    return shown


def error_words(error: dict[str, Any]) -> Both:
    """Why a row or a task failed: in Chinese by its code, in English as the record says it."""
    message = visible(error["message"])
    return Both(ERRORS.get(error["code"], message), message)


def _view(name: str, analysis: dict[str, Any], text: str) -> View:
    task = tasks.load(name)
    title, single = Both(task.zh, task.en), task.kind == "single"
    if "error" in analysis:
        error = analysis["error"]
        failed = Both(f"这项任务没有完成：{error_words(error).zh}", "this task failed")
        message = visible(f"{error['code']}: {error['message']}")
        return View(name, title, single, False, failed, "plain", (), "", error=message)
    held, p = set(analysis["labels"]), analysis["probabilities"] or {}
    labels = tuple(Shown(key, label_name(name, key), p.get(key), key in held, tone(name, key)) for key in task.keys)
    abstained = analysis["abstained"]
    headline = _headline(name, [x for x in labels if x.holds and not _has_child(x.key, held)])
    notes = [Both(*SYNTHETIC)] if analysis.get("measured_on") == "synthetic" else []
    return View(
        name,
        title,
        single,
        abstained,
        headline,
        "unsure" if abstained else tone(name, analysis["labels"][0]) if single and held else "plain",
        labels,
        visible(analysis["explanation"]),
        facts=tuple(_facts(analysis)),
        level=analysis.get("level"),
        sentences=tuple(_sentences(name, analysis, text)),
        notes=tuple(notes),
    )


def _headline(name: str, held: list[Shown]) -> Both:
    if not held:
        return Both(*NONE_FOUND.get(name, ("未见标签", "no label")))
    return Both("、".join(x.name.zh for x in held), ", ".join(x.name.en for x in held))


def _facts(analysis: dict[str, Any]) -> Iterator[Fact]:
    if expression := analysis.get("expression"):
        alert = expression in ("wish", "plan", "imminent")
        yield Fact(Both("表达", "expression"), Both(*EXPRESSION[expression]), alert)
    if (subject := analysis.get("subject")) and subject != "none":
        yield Fact(Both("主体", "subject"), Both(*SUBJECT[subject]), subject == "other")
    if analysis.get("past_attempt"):
        yield Fact(Both("既往", "history"), Both("提到过去的自杀未遂", "a past attempt is told"), True)


def _sentences(name: str, analysis: dict[str, Any], text: str) -> Iterator[Sentence]:
    for sentence in analysis.get("sentences", ()):
        held, p = sentence["labels"], sentence["probabilities"] or {}
        shown = (Shown(k, label_name(name, k), p.get(k), True, tone(name, k)) for k in held if not _has_child(k, held))
        yield Sentence(visible(text[sentence["start"] : sentence["end"]]), tuple(shown))


def _has_child(key: str, keys: Iterable[str]) -> bool:
    return any(other.startswith(key + ".") for other in keys)


@cache
def label_name(task: str, key: str) -> Both:
    """The label's names; a child of the pathway is named after its parent."""
    if (task, key) == ("suicide_risk", "low"):
        return Both(*LOW)
    this = tasks.load(task)
    label = this.label(key)
    if not label.parent:
        return Both(label.zh, label.en)
    parent = this.label(label.parent)
    return Both(f"{parent.zh} · {label.zh}", f"{parent.en} · {label.en}")


def tone(task: str, key: str) -> str:
    """The colour's name of a label: high, plain, distortion, event, belief, consequence, disputation."""
    if task == "suicide_risk":
        return "high" if key == "high" else "plain"
    return key.split(".")[0] if task == "cognitive_pathway" else "distortion"


class Mark(NamedTuple):
    """Evidence: for which label of which task, and in which tone it is shown."""

    task: str
    label: str
    tone: str


class Piece(NamedTuple):
    """A stretch of the post, and the evidence that it is."""

    text: str
    marks: tuple[Mark, ...]


def pieces(record: Record, text: str) -> list[Piece]:
    """The post cut where evidence begins or ends. The pathway is left out: its evidence is whole sentences."""
    spans = [
        (e["start"], e["end"], Mark(name, e["label"], _mark_tone(name, e["label"], analysis)))
        for name, analysis in record.get("analyses", {}).items()
        if name != "cognitive_pathway"
        for e in analysis.get("evidence", ())
    ]
    cuts = sorted({0, len(text), *(s for s, _, _ in spans), *(e for _, e, _ in spans)})
    return [
        Piece(visible(text[a:b]), tuple(dict.fromkeys(mark for s, e, mark in spans if s <= a and b <= e)))
        for a, b in pairwise(cuts)
    ]


def _mark_tone(task: str, label: str, analysis: dict[str, Any]) -> str:
    """That of the label, but where the risk is low the words are those of pain, or of a wish, which stands out."""
    if (task, label) != ("suicide_risk", "low"):
        return tone(task, label)
    return "wish" if analysis.get("expression") in ("wish", "plan", "imminent") else "pain"


def percent(probability: float | None) -> str:
    """`94%`; never 0% or 100%, which nothing here is."""
    if probability is None:
        return "–"
    if probability < 0.01:
        return "<1%"
    return ">99%" if probability > 0.99 else f"{probability:.0%}"


def visible(text: str) -> str:
    """The text with what would steer a terminal or turn a line round replaced by one visible sign each.

    Control characters become their pictures (U+2400…), direction marks and the like ▯, lone surrogates U+FFFD; new
    lines and tabs stay, and so does what emoji are joined with. The length stays the same.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


@lru_cache(maxsize=4096)
def _visible(c: str) -> str:
    if c in "\n\t\u200d" or "\U000e0020" <= c <= "\U000e007f":  # the last two join emoji and spell their flags
        return c
    category = unicodedata.category(c)
    if c == "\r":
        return " "  # of a line end on Windows
    if c < "\u0020":
        return chr(0x2400 + ord(c))
    if category in ("Cc", "Cf"):
        return "\u2421" if c == "\u007f" else "▯"
    if category == "Cs":
        return "\ufffd"
    return " " if category in ("Zs", "Zl", "Zp") else c
