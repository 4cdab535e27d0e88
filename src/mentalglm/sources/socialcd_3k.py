"""SocialCD-3K: 3,407 Weibo posts with twelve cognitive distortions (Qi et al., arXiv 2309.03564)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from ..tasks import load
from . import lines, tidy
from .labelled import Labelled
from .source import TIDY, File, Place, Row, Source, Unusable, attempt, labelled, numbered

_FOLDER = "data/SocialCD-3k"
_ZH = "非此即彼 以偏概全 心理过滤 否定正面思考 读心术 先知错误 放大 情绪化推理 应该式 乱贴标签 罪责归己 罪责归他"
# Published name, in the order of the columns: our key.
NAMES: dict[str, str] = dict(zip(_ZH.split(), load("cognitive_distortion").keys, strict=True))


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    if place.file.form == TIDY:
        yield from tidy.read(source, place, lambda row: tidy.labels(row, NAMES))
        return
    yield from table(source, place)


def table(source: Source, place: Place) -> Iterator[Row]:
    """Twelve columns of 0 or 1, then the text; with the header or without. Names in another order are followed."""
    rows = lines.tsv(place.path)
    first = next(rows, None)
    keys = list(NAMES.values())
    if first is not None and not first.problem and not set(first.cells[:12]) <= {"0", "1"}:
        keys = [NAMES.get(cell.strip()) or "" for cell in first.cells[:12]]
        if sorted(keys) != sorted(NAMES.values()):  # names that we do not know: the published header says which
            lines.header(iter([first]), place.path, *NAMES, "内容")
    elif first is not None:
        rows = chain([first], rows)
    for number, row in enumerate(rows, 1):
        yield attempt(
            source, place, row.line, "\t".join(row.cells), lambda n=number, x=row: _row(source, place, n, x, keys)
        )


def _row(source: Source, place: Place, number: int, row: lines.Cells, keys: list[str]) -> Labelled:
    *flags, text = row.take(13)
    if wrong := [flag for flag in flags if flag not in ("0", "1")]:
        raise Unusable("unknown_label", f"a label column is {wrong[0][:20]!r}, not 0 or 1")
    found = {key for key, flag in zip(keys, flags, strict=True) if flag == "1"}
    labels = tuple(key for key in NAMES.values() if key in found)
    return labelled(source, place, numbered(source.key, place.file.part, number), text, labels=labels)


SOURCE = Source(
    key="socialcd_3k",
    zh="SocialCD-3K 认知歪曲",
    en="SocialCD-3K, cognitive distortions",
    task="cognitive_distortion",
    licence="none stated; for research",
    paper="Qi et al., arXiv 2309.03564; Bioengineering 12(8) 882",
    repository="HongzhiQ/SupervisedVsLLM-EfficacyEval",
    commit="fa3665d36af4",
    forms=("split", TIDY, "whole"),
    files=(
        File(
            f"{_FOLDER}/train_data_with_header.tsv", "train", "split", 2725, 400396, 2726,
            "aef6f45a409bd732763748ef96a10ca3",
        ),
        File(
            f"{_FOLDER}/test_data_with_header.tsv", "test", "split", 682, 100617, 683,
            "c7b971952f35c728dd401a2f0cff03dd",
        ),
        File(f"{_FOLDER}/SocialCD-3k.tsv", "", "whole", 3407, 500848, 3407, "fdbf1f243a801da8ca4dfb7eb6e494e1"),
        File("socialcd_3k/train.jsonl", "train", TIDY, 2720, sha256="98bbfbe360a851ea"),
    ),
    read=read,
    about="no post is without a label; 58 % have labeling",
)  # fmt: skip
