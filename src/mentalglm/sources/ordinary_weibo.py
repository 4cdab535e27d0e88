"""Ordinary Weibo posts with one of six emotions (SMP2020-EWECT, its part on the epidemic): what a risk model must leave
alone. They say nothing of risk or distortion themselves; the task is `emotion`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import tidy
from .source import TIDY, File, Place, Row, Source

EMOTIONS = {name: name for name in ("happy", "neutral", "angry", "sad", "fear", "surprise")}


def read(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    yield from tidy.read(source, place, lambda row: tidy.label(row, EMOTIONS))


SOURCE = Source(
    key="ordinary_weibo",
    zh="普通微博",
    en="ordinary Weibo posts",
    task="emotion",
    licence="none stated; for research",
    paper="SMP2020-EWECT, evaluation of Weibo emotion classification",
    unfetchable="its organisers give it on request",
    files=(File("ordinary_weibo/train.jsonl", "train", TIDY, 8598, sha256="013a614c9cc645b6"),),
    read=read,
    about="hardly any word of death in them: a few false alarms on them are nearly free",
)
