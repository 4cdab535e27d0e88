"""SOS-1K and SOS-4K: comments under the same Weibo post as SOS-HL-1K's, with a level of expression from 0 to 10.

They give a level and no label: whether 6 and above is `high` is the annotators' own rule, which disagrees with
SOS-HL-1K's label on a tenth of the shared posts. The build decides, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import clean, lines, tidy
from .labelled import Labelled
from .source import TIDY, File, Place, Row, Source, attempt, labelled, numbered


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    if place.file.form == TIDY:
        yield from tidy.read(source, place, _tidy)
        return
    names = ("comment", "myLabel", "explain") if place.file.form == "explained" else ("comment", "myLabel")
    for number, row in enumerate(lines.header(lines.tsv(place.path), place.path, *names), 1):
        yield attempt(
            source, place, row.line, "\t".join(row.cells), lambda n=number, x=row: _row(source, place, n, x, len(names))
        )


def _row(source: Source, place: Place, number: int, row: lines.Cells, count: int) -> Labelled:
    text, level, *rest = row.take(count)
    name = place.file.name.removesuffix(".tsv")
    fold = name if name.startswith("fold") else ""
    id_ = numbered(source.key, fold or place.file.part, number)
    more = {"extra": {"fold": fold[4:]}} if fold else {}
    return labelled(
        source, place, id_, text, level=tidy.level(level), explanation=_explanation(rest[0] if rest else None), **more
    )


def _tidy(row: dict[str, Any]) -> tidy.Fields:
    return {"level": tidy.level(row.get("label")), "explanation": _explanation(row.get("explain"))}


def _explanation(given: object) -> str | None:
    return clean.tidy(given) or None if isinstance(given, str) else None


_FOLDS = (
    (200, 29013, 201, "bc83de8398f7bd584eed594210a2aa5a"),
    (200, 29115, 201, "6c64b8eacf4bb74143613a2584a0f31d"),
    (200, 28938, 201, "82aacc13ccd6dca30108026648ed36ae"),
    (200, 26258, 201, "e18da3262be1148c030a64ad033e8ca6"),
    (199, 26522, 200, "115a6369fab104fe2a6a58834d37053c"),
)
_FINE = "suicideDataProcessing/data/fine-grained"

SOS_1K = Source(
    key="sos_1k",
    zh="SOS-1K 十一级自杀风险",
    en="SOS-1K, eleven levels",
    task="suicide_risk",
    licence="none stated; for research",
    paper="Qi et al., Social media suicide fine-grained classification, 2024",
    repository="HongzhiQ/FineGrainedSuicideDetection",
    commit="1322c3b09bb9",
    refs=("1322c3b09bb9cc283eb840fe3b27a03d775894f4", "HEAD"),
    forms=("levels",),
    files=(
        *(File(f"{_FINE}/fold{n}.tsv", "train", "levels", *known) for n, known in enumerate(_FOLDS, 1)),
        File(f"{_FINE}/test_data.tsv", "test", "levels", 250, 32823, 251, "2f231da894f7d65e6a627677c033cbaf"),
    ),
    read=read,
    about="195 of SOS-HL-1K's 250 test posts are in its training folds",
)

_FINAL = "data_final/data"

SOS_4K = Source(
    key="sos_4k",
    zh="SOS-4K 十一级自杀风险与解释",
    en="SOS-4K, eleven levels with explanations",
    task="suicide_risk",
    licence="none stated; for research",
    paper="RSLF: a fine-grained suicide risk classification framework (repository of the authors)",
    repository="HongzhiQ/RSLF-Framework-and-SOS4K-Dataset",
    commit="ba5c0c0a11bf",
    refs=("ba5c0c0a11bf16c6f6854f5180bfbbd2c9f775e3", "HEAD"),
    forms=("explained", TIDY),
    files=(
        File(
            f"{_FINAL}/train_data_withExplainFewShot.tsv", "train", "explained", 2693, 2117972, 2693,
            "d202fc80e42d87a7afe9f8e1931b781d",
        ),
        File(
            f"{_FINAL}/val_data_withExplainFewShot.tsv", "validation", "explained", 673, 589143, 674,
            "e41dfa04b8cba0c24a60ffd929f70603",
        ),
        File(
            f"{_FINAL}/test_data_withExplainFewShot.tsv", "test", "explained", None, 665466, 843,
            "2c1c3d822c8122c40af1f485c0472e2c",
        ),
        File("sos_4k/train.jsonl", "train", TIDY, 2535, sha256="a24806850bd94a71"),
        File("sos_4k/val.jsonl", "validation", TIDY, 633, sha256="95746c3df606a4b3"),
    ),
    read=read,
    about="explanations written by a language model; some of their quotes are not verbatim",
)  # fmt: skip
