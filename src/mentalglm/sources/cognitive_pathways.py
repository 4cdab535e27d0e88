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
from .source import File, Place, Row, Source, Unusable, attempt, labelled, numbered

_SUMMARY_NAMES = (("source", "target"), ("content", "title"))
WHOLE = "all"  # the key of a summary that no parent is named for: of the whole pathway


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    if place.file.form == "lines":
        for number, block in enumerate(_blocks(place), 1):
            shown = "\n".join("\t".join(row.cells) for row in block)
            yield attempt(source, place, block[0].line, shown, lambda n=number, x=block: _post(source, place, n, x))
        return
    one = _spans if place.file.form == "spans" else _pair
    for number, item in enumerate(lines.objects(place.path), 1):
        shown = str(item.value.get("text", item.value.get("source", "")))
        yield attempt(source, place, item.line, shown, lambda n=number, x=item: one(source, place, n, x))


# ---- text lines


def _blocks(place: Place) -> list[list[lines.Cells]]:
    """A line is a sentence. Where blank lines stand between lines, those between two of them are one post; where the
    file has none it does not tell which sentences belong together, and each stands for itself."""
    blocks: list[list[lines.Cells]] = [[]]
    for line in lines.text_lines(place.path):
        bare = line.text.strip("\r\n")
        if bare.strip():
            cells = lines.Cells(line.number, bare.split("\t"), ("encoding", line.problem) if line.problem else None)
            blocks[-1].append(cells)
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if block]
    return blocks if len(blocks) > 1 else [[row] for block in blocks for row in block]


def _post(source: Source, place: Place, number: int, block: list[lines.Cells]) -> Labelled:
    spans: list[pathway.Span] = []
    text = ""
    for row in block:
        *before, last = row.take(len(row.cells))
        sentence, names = ("".join(before), last) if before else (last, "")  # a tab within the sentence is dropped
        try:
            labels = pathway.keys(x for x in names.split(",") if x.strip())
        except Unusable as error:
            raise Unusable(error.code, f"line {row.line}: {error.reason}") from None
        if not sentence.strip():
            raise Unusable("empty_text", f"line {row.line}: the sentence is empty")
        start = len(text) + 1 if text else 0
        text = f"{text}\n{sentence}" if text else sentence
        spans.append(pathway.Span(start, len(text), labels))
    id_ = numbered(source.key, place.file.part, number)
    return labelled(source, place, id_, **pathway.place(text, spans))


# ---- the annotation tool


def _spans(source: Source, place: Place, number: int, item: lines.Item) -> Labelled:
    row = item.take()
    text = row.get("text", row.get("data"))
    if not isinstance(text, str) or not text.strip():
        raise Unusable("empty_text", "there is no text")
    extra = {"doccano_id": str(row["id"])} if "id" in row else {}
    found = pathway.place(text, spans_of(row, text), fill=True)
    return labelled(source, place, numbered(source.key, place.file.part, number), extra=extra, **found)


def spans_of(row: dict[str, Any], text: str) -> list[pathway.Span]:
    """The annotated stretches of a row: `label` (or `labels`) as `[start, end, code]`, `entities` with offsets, or
    plain labels, which are the whole text's. Raises Unusable."""
    marks = row.get("entities", row.get("label", row.get("labels")))
    if not isinstance(marks, list):
        raise Unusable("bad_json", "it has no list of labels")
    spans: list[pathway.Span] = []
    for mark in marks:
        if isinstance(mark, str):
            start, end, name = 0, len(text), mark
        elif isinstance(mark, list) and len(mark) == 3:
            start, end, name = mark
        elif isinstance(mark, dict):
            start, end, name = mark.get("start_offset"), mark.get("end_offset"), mark.get("label")
        else:
            raise Unusable("bad_json", "a label is neither a name nor a span")
        if isinstance(start, bool) or not isinstance(start, int) or not isinstance(end, int):
            raise Unusable("bad_span", "a span has no whole numbers")
        spans.append(pathway.Span(start, end, pathway.keys([name])))
    return spans


# ---- summaries


def _pair(source: Source, place: Place, number: int, item: lines.Item) -> Labelled:
    """A summary says what one parent, or the whole pathway, holds; it gives no labels."""
    row = item.take()
    names = next((pair for pair in _SUMMARY_NAMES if set(pair) <= row.keys()), None)
    if names is None:
        one_of = " or ".join("/".join(pair) for pair in _SUMMARY_NAMES)
        raise UserError(f"{place.path}, item {item.line}: there is no {one_of}", "is this the file of summaries?")
    text, summary = (clean.tidy(x) if isinstance(x := row[name], str) else "" for name in names)
    if not summary:
        raise Unusable("empty_text", f"{names[1]} is empty")
    parent = str(row.get("parent", row.get("label", ""))).strip()
    key = pathway.parent(parent) if parent else WHOLE
    id_ = numbered(f"{source.key}-summary", place.file.part, number)
    return labelled(source, place, id_, text, summary={key: summary})


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
