"""The project's own posts for the cognitive pathway, sentence by sentence: synthetic, and shipped with the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import lines, pathway, tidy
from .source import TIDY, File, Place, Row, Source, Unusable


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    """The posts, with the explanation and the summary that were written for each."""
    beside = next((p.path for p in places if p.file.role == "aux"), None)
    written = {} if beside is None else {x["id"]: x for x in (i.take() for i in lines.objects(beside))}
    yield from tidy.read(source, place, lambda row: _fields(row, written.get(row.get("id", ""), {})))


def _fields(row: dict[str, Any], written: Mapping[str, Any]) -> tidy.Fields:
    try:
        spans = [pathway.Span(int(s["start"]), int(s["end"]), tuple(map(str, s["labels"]))) for s in row["sentences"]]
    except (KeyError, TypeError, ValueError):
        raise Unusable("bad_span", "a sentence has no start, end or labels") from None
    voice = {"extra": {"voice": str(row["voice"])}} if "voice" in row else {}
    words = {"explanation": written.get("explanation")}
    words["summary"] = {k: v for k, v in (written.get("summary") or {}).items() if v}
    return pathway.place(row["text"], spans) | {"group": str(row.get("family", ""))} | voice | words


SOURCE = Source(
    key="pathway_synthetic",
    zh="合成认知路径数据集",
    en="Cognitive pathway, synthetic",
    task="cognitive_pathway",
    licence="Apache-2.0",
    paper="this project; written and reviewed by language models, no clinician",
    unfetchable="it ships with the project",
    folder=Path(__file__).parents[1] / "datasets" / "pathway_synthetic",
    files=(
        File("train.jsonl", "train", TIDY, 480),
        File("validation.jsonl", "validation", TIDY, 60),
        File("test.jsonl", "test", TIDY, 120),
        File("explanations.jsonl", "", TIDY, role="aux"),
    ),
    read=read,
    about="synthetic; a group is a prompt family",
)
