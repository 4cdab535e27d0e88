"""Cognitive pathways (Jiang et al., arXiv 2404.11449): 4,595 sentences of 555 posts with 23 labels, and summaries.

The authors withdrew the data in March 2024. Nothing of them is in this project, which fetches none of it; the format is
read for those who hold a copy: text lines `sentence<TAB>parent,parent##child`, the annotation tool's JSONL with spans,
and summaries as source and target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import UserError
from . import clean, lines, pathway
from .labelled import Labelled
from .source import File, Place, Row, Source, numbered, reject

_SUMMARY_NAMES = (("source", "target"), ("content", "title"))
WHOLE = "all"  # the key of a summary that no parent is named for: of the whole pathway


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    yield from {"spans": _spans, "lines": _lines, "pairs": _pairs}[place.file.form](source, place)


# ---- text lines


def _lines(source: Source, place: Place) -> Iterator[Row]:
    """A line is a sentence. Where blank lines stand between lines, those between two of them are one post."""
    blocks: list[list[lines.Cells]] = [[]]
    for line in lines.text_lines(place.path):
        bare = line.text.strip("\r\n")
        if bare.strip():
            problem: lines.Problem | None = ("encoding", line.problem) if line.problem else None
            blocks[-1].append(lines.Cells(line.number, bare.split("\t"), problem))
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if block]
    if len(blocks) == 1:  # no blank lines: the file does not tell which sentences are one post
        blocks = [[row] for row in blocks[0]]
    for number, block in enumerate(blocks, 1):
        yield _post(source, place, number, block)


def _post(source: Source, place: Place, number: int, block: list[lines.Cells]) -> Row:
    spans: list[pathway.Span] = []
    text = ""
    for row in block:
        *before, last = row.cells
        sentence, names = ("".join(before), last) if before else (last, "")
        labels = pathway.keys(x for x in names.split(",") if x.strip())
        problem = row.problem
        if problem is None and _is_problem(labels):
            problem = labels
        if problem is None and not sentence.strip():
            problem = "empty_text", "the sentence is empty"
        if problem is not None:
            shown = "\n".join("\t".join(x.cells) for x in block)
            where = f"{problem[1]} (with it the other {len(block) - 1} sentences of its post)"
            return reject(source, place, row.line, problem[0], where if len(block) > 1 else problem[1], shown)
        start = len(text) + 1 if text else 0
        text = f"{text}\n{sentence}" if text else sentence
        spans.append(pathway.Span(start, len(text), tuple(labels)))
    return _labelled(source, place, block[0].line, number, pathway.place(text, spans))


def _is_problem(found: tuple[str, ...] | lines.Problem) -> bool:
    return bool(found) and found[0] == "unknown_label"


def _labelled(
    source: Source, place: Place, line: int, number: int, found: dict[str, Any] | lines.Problem, **more: Any
) -> Row:
    if isinstance(found, tuple):
        return reject(source, place, line, *found)
    id_ = numbered(source.key, place.file.part, number)
    return Labelled(id=id_, source=source.key, part=place.file.part, task=source.task, **found, **more)


# ---- the annotation tool


def _spans(source: Source, place: Place) -> Iterator[Row]:
    for number, item in enumerate(lines.objects(place.path), 1):
        if item.problem:
            yield reject(source, place, item.line, *item.problem)
            continue
        text = item.value.get("text", item.value.get("data"))
        if not isinstance(text, str) or not text.strip():
            yield reject(source, place, item.line, "empty_text", "there is no text")
            continue
        spans = spans_of(item.value, text)
        if _is_spans(spans):
            found = pathway.place(text, spans, fill=True)
            given = {"extra": {"doccano_id": str(item.value["id"])}} if "id" in item.value else {}
            row = _labelled(source, place, item.line, number, found, **given)
        else:
            row = reject(source, place, item.line, *spans, text)
        yield row


def _is_spans(found: list[pathway.Span] | lines.Problem) -> bool:
    return isinstance(found, list)


def spans_of(row: dict[str, Any], text: str) -> list[pathway.Span] | lines.Problem:
    """The annotated stretches of a row: `label` (or `labels`) as `[start, end, code]`, `entities` with offsets, or
    plain labels, which are the whole text's."""
    marks = row.get("entities", row.get("label", row.get("labels")))
    if not isinstance(marks, list):
        return "bad_json", "it has no list of labels"
    spans: list[pathway.Span] = []
    for mark in marks:
        if isinstance(mark, str):
            start, end, name = 0, len(text), mark
        elif isinstance(mark, list) and len(mark) == 3:
            start, end, name = mark
        elif isinstance(mark, dict):
            start, end, name = mark.get("start_offset"), mark.get("end_offset"), mark.get("label")
        else:
            return "bad_json", "a label is neither a name nor a span"
        if isinstance(start, bool) or not isinstance(start, int) or not isinstance(end, int):
            return "bad_span", "a span has no whole numbers"
        labels = pathway.keys([name])
        if labels and labels[0] == "unknown_label":
            return labels
        spans.append(pathway.Span(start, end, tuple(labels)))
    return spans


# ---- summaries


def _pairs(source: Source, place: Place) -> Iterator[Row]:
    """A summary says what one parent, or the whole pathway, holds; it gives no labels."""
    for number, item in enumerate(lines.objects(place.path), 1):
        if item.problem:
            yield reject(source, place, item.line, *item.problem)
            continue
        row = item.value
        names = next((pair for pair in _SUMMARY_NAMES if set(pair) <= row.keys()), None)
        if names is None:
            raise UserError(
                f"{place.path}, item {item.line}: no {' or '.join('/'.join(p) for p in _SUMMARY_NAMES)}",
                "is this the file of summaries?",
            )
        text, summary = (clean.tidy(x) if isinstance(x := row[name], str) else "" for name in names)
        if not text or not summary:
            yield reject(source, place, item.line, "empty_text", f"{names[0]} or {names[1]} is empty", text)
            continue
        parent = str(row.get("parent", row.get("label", ""))).strip()
        key = pathway.STRINGS.get(parent, pathway.CODES.get(parent, parent)) if parent else WHOLE
        if key != WHOLE and key not in pathway.PARENTS:
            yield reject(source, place, item.line, "unknown_label", f"unknown parent {parent[:40]!r}", text)
            continue
        id_ = numbered(f"{source.key}-summary", place.file.part, number)
        yield Labelled(id_, source.key, place.file.part, source.task, text, summary={key: summary})


_TEXT = "Data/Hierarchical text classification/data"
_SUMMARIES = "Data/Abstractive summarization/data"

SOURCE = Source(
    key="cognitive_pathways",
    zh="认知路径（作者已撤回）",
    en="cognitive pathways (withdrawn by its authors)",
    task="cognitive_pathway",
    licence="none; withdrawn in March 2024",
    paper="Jiang et al., arXiv 2404.11449",
    repository="JiangMeng-JM/Cognitive-Pathways",
    unfetchable="its authors withdrew it in March 2024",
    forms=("spans", "lines"),
    files=(
        File("Data/Labeled data/data.jsonl", "", "spans"),
        File(f"{_TEXT}/train.txt", "train", "lines"),
        File(f"{_TEXT}/dev.txt", "validation", "lines"),
        File(f"{_TEXT}/test.txt", "test", "lines"),
        File(f"{_TEXT}/label.txt", "", "labels", rows=23, role="aux"),
        File(f"{_SUMMARIES}/train.json", "train", "pairs", role="more", flat=("summary/train.json",)),
        File(f"{_SUMMARIES}/valid.json", "validation", "pairs", role="more", flat=("summary/valid.json",)),
        File(f"{_SUMMARIES}/test.json", "test", "pairs", role="more", flat=("summary/test.json",)),
    ),
    read=read,
    about="only for those who hold a copy",
)
