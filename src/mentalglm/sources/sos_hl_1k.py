"""SOS-HL-1K: 1,249 comments under one Weibo post, suicide risk high or low (Qi et al., arXiv 2309.03564).

Three forms of the same rows: a tab-separated `*_LLM.csv`, a GB18030 `*_BERT.tsv` and a chat `*.jsonl`. What is called
`val` there is the published test part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import lines, tidy
from .labelled import Labelled
from .source import TIDY, File, Place, Row, Source, Unusable, attempt, labelled, numbered

_FOLDER = "data/suicide"
_ANSWERS = {"低自杀风险": "low", "高自杀风险": "high"}
_NUMBERS = {"0": "low", "1": "high"}


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    form = place.file.form
    if form == TIDY:
        yield from tidy.read(source, place, lambda row: tidy.label(row, _NUMBERS))
    elif form == "chat":
        for number, item in enumerate(lines.objects(place.path), 1):
            yield attempt(source, place, item.line, "", lambda n=number, x=item: _chat(source, place, n, x))
    else:
        rows = lines.tsv(place.path)
        if form == "llm":
            rows = lines.header(rows, place.path, "id", "label", "comment")
        one = _llm if form == "llm" else _bert
        for number, row in enumerate(rows, 1):
            yield attempt(
                source, place, row.line, "\t".join(row.cells), lambda n=number, x=row: one(source, place, n, x)
            )


def _llm(source: Source, place: Place, number: int, row: lines.Cells) -> Labelled:
    _, label, text = row.take(3)
    return _row(source, place, number, text, **tidy.label({"label": label}, _NUMBERS))


def _bert(source: Source, place: Place, number: int, row: lines.Cells) -> Labelled:
    high, low, text = row.take(3)
    if not {high, low} <= {"0", "1"}:
        raise Unusable("unknown_label", f"high and low are {high[:20]!r} and {low[:20]!r}, not 0 or 1")
    if high == low:
        raise Unusable("one_hot", f"high and low sum to {2 * int(high)}, not 1")
    return _row(source, place, number, text, labels=("high" if high == "1" else "low",))


def _chat(source: Source, place: Place, number: int, item: lines.Item) -> Labelled:
    turns = item.take().get("messages")
    said = {t.get("role"): t.get("content") for t in turns if isinstance(t, dict)} if isinstance(turns, list) else {}
    text, answer = said.get("user"), said.get("assistant")
    if not isinstance(text, str) or not isinstance(answer, str):
        raise Unusable("bad_json", "it has no turns of user and assistant")
    return _row(source, place, number, text, **tidy.label({"label": answer.strip()}, _ANSWERS))


def _row(source: Source, place: Place, number: int, text: str, labels: tuple[str, ...]) -> Labelled:
    return labelled(source, place, numbered(source.key, place.file.part, number), text, labels=labels)


SOURCE = Source(
    key="sos_hl_1k",
    zh="SOS-HL-1K 高低自杀风险",
    en="SOS-HL-1K, high and low suicide risk",
    task="suicide_risk",
    licence="none stated; for research",
    paper="Qi et al., arXiv 2309.03564; Bioengineering 12(8) 882",
    repository="HongzhiQ/SupervisedVsLLM-EfficacyEval",
    commit="fa3665d36af4",
    forms=("llm", "bert", "chat", TIDY),
    files=(
        File(f"{_FOLDER}/suicide_train_LLM.csv", "train", "llm", 999, 145657, 1000, "ffd786191b5cd861acd138e83d101b36"),
        File(f"{_FOLDER}/suicide_val_LLM.csv", "test", "llm", 250, 34105, 251, "6c74bf5955515d3bb994abf6d8fa146b"),
        File(
            f"{_FOLDER}/suicide_train_BERT.tsv", "train", "bert", 999, 98874, 999,
            "443b84b944d99ab357f3e6a584bd137c", "gb18030",
        ),
        File(
            f"{_FOLDER}/suicide_val_BERT.tsv", "test", "bert", 250, 23167, 250,
            "15f76aae581a678adea3f43e1f0c96d6", "gb18030",
        ),
        File(f"{_FOLDER}/suicide_train.jsonl", "train", "chat", 999, 429457, 999, "2a45b2a54f44d5e017c591e77952d625"),
        File(f"{_FOLDER}/suicide_val.jsonl", "test", "chat", 250, 105836, 250, "3c0de914ee0cb6e9a539f681cd3f0602"),
        File("sos_hl_1k/train.jsonl", "train", TIDY, 997, sha256="a96ac097ac08bf59"),
    ),
    read=read,
    about="the same posts as SOS-1K and SOS-4K in part; the finer level is there",
)  # fmt: skip
