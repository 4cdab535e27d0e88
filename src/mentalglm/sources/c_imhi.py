"""C-IMHI as the paper's authors publish it: Alpaca JSON (`instruction`, `input`, `output`) with the splits mixed; each row
gets its split, and its gold label, back from the raw data beside it, by content key.

The form is known second-hand. Where the raw data are not there the split is empty and the label is the answer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..text import content_key
from . import clean, lines, socialcd_3k
from .labelled import Labelled, Part
from .source import File, Place, Row, Source, Unusable, attempt, labelled, numbered

_REASONS = re.compile(r"(?:推理|理由|原因|解释|分析|Reasoning)(?:过程)?\s*[：:]")
_RISK = re.compile(
    r"(?P<a>[高低])(?:等?级?别?的?)(?:自杀)?风险|风险(?:等级|程度|级别)?(?:为|是|较|很|：|:)*(?P<b>[高低])"
)
_RISKS = {"高": "high", "低": "low"}
_ALSO = {"应该句式": "should_statements", "放大和缩小": "magnification"}
_FIRST: dict[Part, int] = {"test": 0, "validation": 1, "train": 2, "": 3}  # of several splits the test part wins


class Raw(NamedTuple):
    """What the raw data say of a post: its labels, and every split that it stands in, the one that counts first."""

    labels: tuple[str, ...]
    parts: tuple[Part, ...]


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    raw = raw_data(source, places)
    for number, item in enumerate(lines.objects(place.path), 1):
        shown = str(item.value.get("input") or item.value.get("instruction") or "")
        yield attempt(source, place, item.line, shown, lambda n=number, x=item: _row(source, place, n, x, raw))


def raw_data(source: Source, places: Sequence[Place]) -> dict[str, Raw]:
    """The raw rows by content key; rows that cannot be used are passed over (they are no rows of this set)."""
    found: dict[str, list[tuple[Part, tuple[str, ...]]]] = {}
    for place in places:
        if place.file.role == "aux":
            rows = socialcd_3k.table(source, place) if place.file.form == "raw-cd" else _raw_risk(source, place)
            for row in rows:
                if isinstance(row, Labelled):
                    found.setdefault(content_key(row.text), []).append((row.part, row.labels or ()))
    sets: dict[str, Raw] = {}
    for key, rows in found.items():
        rows.sort(key=lambda row: _FIRST[row[0]])
        sets[key] = Raw(rows[0][1], tuple(dict.fromkeys(part for part, _ in rows)))
    return sets


def _raw_risk(source: Source, place: Place) -> Iterator[Row]:
    def make(row: lines.Cells) -> Labelled:
        label, text = row.take(2)
        if label not in ("0", "1"):
            raise Unusable("unknown_label", f"the label is {label[:20]!r}, not 0 or 1")
        return labelled(source, place, "", text, labels=("high" if label == "1" else "low",))

    for row in lines.tsv(place.path):
        yield attempt(source, place, row.line, "", lambda x=row: make(x))


def _row(source: Source, place: Place, number: int, item: lines.Item, raw: dict[str, Raw]) -> Labelled:
    row = item.take()
    instruction, text, output = (row.get(name) for name in ("instruction", "input", "output"))
    if not isinstance(instruction, str) or not isinstance(output, str) or not output.strip():
        raise Unusable("bad_json", "it has no instruction or no output")
    question = instruction
    if not isinstance(text, str) or not text.strip():  # the post stands behind the question
        split = re.match(r"(.*?[?？])(.+)", instruction, re.DOTALL)
        if split is None:
            raise Unusable("no_question", "there is no input, and no post behind the question")
        question, text = split.groups()
    output = clean.tidy(output)
    said = answered(source.task, output)
    known = raw.get(content_key(clean.tidy(text)))
    if known is None and said is None:
        raise Unusable(
            "unknown_label",
            f"no label can be read from the output ({len(output)} characters), and the raw data do not have it",
        )
    extra: dict[str, str] = {}
    part: Part = ""
    labels = said
    if known is not None:
        part, labels = known.parts[0], known.labels
        if said is not None and said != labels:
            extra["answer_labels"] = "|".join(said)
        if len(known.parts) > 1:
            extra["parts"] = "|".join(known.parts)
    elif raw:
        extra["part"] = "not in the raw data"
    reasons = _REASONS.search(output)
    more: dict[str, Any] = {"explanation": output[reasons.end() :].strip() or None} if reasons else {}
    return labelled(
        source, place, numbered(source.key, "", number), text, part=part, labels=labels, question=question.strip(),
        answer=output, extra=extra, **more,
    )  # fmt: skip


def answered(task: str, output: str) -> tuple[str, ...] | None:
    """The labels that an answer states before its reasons (else in its first sentence); None where it states none, or
    both risks."""
    reasons = _REASONS.search(output)
    head = output[: reasons.start()] if reasons else re.split(r"[。！\n]", output, maxsplit=1)[0]
    if task == "suicide_risk":
        found = {_RISKS[m["a"] or m["b"]] for m in _RISK.finditer(head)}
        return (found.pop(),) if len(found) == 1 else None
    names = socialcd_3k.NAMES | _ALSO
    keys = {key for name, key in names.items() if name in head}
    return tuple(key for key in socialcd_3k.NAMES.values() if key in keys) or None


_PARTS: tuple[tuple[str, Part], ...] = (("train", "train"), ("val", "validation"), ("test", "test"))


def _source(task: str, zh: str, en: str, instructions: str, folder: str, ending: str, form: str) -> Source:
    raws: list[tuple[str, Part]] = [(f"Raw data/{folder}/{word}_{ending}.tsv", part) for word, part in _PARTS]
    return Source(
        key=f"c_imhi_{task}",
        zh=zh,
        en=en,
        task=task,
        licence="none stated; for research",
        paper="Zhai et al., MentalGLM Series, arXiv 2410.10323, EMNLP 2025",
        repository="zwzzzQAQ/MentalGLM",
        forms=("alpaca",),
        files=(
            File(f"Instruct data/{instructions}", "", "alpaca"),
            *(File(x, part, form, flat=(x.removeprefix("Raw data/"),), role="aux") for x, part in raws),
        ),
        read=read,
        about="form and paths known second-hand; the splits come back from the raw data",
    )


SOURCES = (
    _source(
        "suicide_risk", "C-IMHI 自杀风险", "C-IMHI, suicide risk",
        "Instruct_suiside.json", "Suiside", "set", "raw-risk",
    ),
    _source(
        "cognitive_distortion", "C-IMHI 认知歪曲", "C-IMHI, cognitive distortion",
        "Instruct_CD.json", "CD", "data", "raw-cd",
    ),
)  # fmt: skip
