"""`mini`, the embedded model: a small encoder and hashed n-grams, on numpy, onnxruntime and tokenizers alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mentalglm.errors import MissingError, UserError
from mentalglm.explain import explain
from mentalglm.models.given import Given, posts_of, recall_of, tasks_of, threads_of
from mentalglm.schema import Post, Record, error_record, ok_record
from mentalglm.tasks import Lang, Task
from mentalglm.text import clean, is_chinese

from .answer import Answers
from .decide import Constants, constants, risk_rule
from .ngrams import Linear
from .parts import Parts, parts
from .reader import Reader

WEIGHTS = Path(__file__).with_name("weights")
CHUNK = 128  # posts that are read together, so that texts of one length share a call
CHUNK_CHARACTERS = 50_000  # and their characters, so that long posts do not fill the memory
FILES = ("encoder.onnx", "tokenizer.json", "ngrams.npz", "calibration.json")

__all__ = ["Mini"]


class Mini:
    """The embedded model. Raises MissingError where a file of the model is missing or is not the one that was shipped."""

    def __init__(
        self,
        *,
        threads: int | None = None,
        prevalence: float | None = None,
        operating_point: str | None = None,
        folder: Path = WEIGHTS,
    ) -> None:
        sums = check_files(folder)
        raw: dict[str, Any] = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
        self.name: str = raw["name"]
        self.revision = hashlib.sha256("".join(sorted(sums.values())).encode()).hexdigest()[:12]
        self.constants: Constants = constants(raw)
        recall = recall_of(operating_point) if operating_point else None
        self.risk = risk_rule(self.constants, prevalence, recall)
        threads, too_many = threads_of(threads)
        cost = cost_of(self.constants, recall, prevalence) if recall else None
        self.note = "; ".join(filter(None, (cost, too_many))) or None
        self.linear = load_linear(folder / "ngrams.npz")
        self.reader = Reader(folder, threads)

    def analyze(
        self, posts: Iterable[Given], *, tasks: Sequence[str] | str | None = None, lang: str = "zh"
    ) -> Iterator[Record]:
        """One record a post, lazily and in input order. A post is a `Post`, a text, or a mapping with `text` and
        perhaps `id`; without an id it gets its number, from 1. `tasks`: some of the tasks, or one; None for all."""
        if lang not in ("zh", "en"):
            raise UserError(f"no language {lang!r}", "use zh or en")
        language: Lang = "en" if lang == "en" else "zh"
        return self._records(posts_of(posts), tasks_of(tasks), language)

    def parts(self, text: str) -> list[Parts]:
        """Logits and shares of one text, a window each; for evaluation and tests."""
        return parts([clean(text)], self.reader, self.linear, self.constants)[0]

    def read(self, texts: Sequence[str]) -> list[Answers | None]:
        """What each text reads as, for who asks for more than records: the evidence for a label that is given, say. None
        where there is nothing to read, or the model failed."""
        cleaned = [clean(text) for text in texts]
        return [
            Answers(text, c, p, self.constants, self.risk) if c.text and isinstance(p, list) and p else None
            for text, c, p in zip(texts, cleaned, self._parts(cleaned), strict=True)
        ]

    def _records(self, posts: Iterator[Post], tasks: list[Task], lang: Lang) -> Iterator[Record]:
        for chunk in _chunks(posts):
            cleaned = [clean(post.text if isinstance(post.text, str) else "") for post in chunk]
            found = self._parts(cleaned)
            for post, c, p in zip(chunk, cleaned, found, strict=True):
                yield self._record(post, c, p, tasks, lang)

    def _parts(self, cleaned: list[Any]) -> list[list[Parts] | Exception]:
        """The parts of each text; should the model fail on one, only that one fails."""
        try:
            return list(parts(cleaned, self.reader, self.linear, self.constants))
        except Exception as first:
            if len(cleaned) == 1:
                return [first]
            return [x for c in cleaned for x in self._parts([c])]

    def _record(self, post: Post, c: Any, p: list[Parts] | Exception, tasks: list[Task], lang: Lang) -> Record:
        model = {"name": self.name, "revision": self.revision}
        if not isinstance(post.text, str):
            return error_record(post.id, "not_text", f"a {type(post.text).__name__} is no text", model)
        if isinstance(p, Exception):
            return error_record(post.id, "model", f"the model failed on this post: {p}", model)
        if not c.text or not p:
            return error_record(post.id, "empty_text", "nothing to read: the text is blank", model)
        answers = Answers(post.text, c, p, self.constants, self.risk)
        foreign = not is_chinese(c.text)
        notes = ["windows"] * (len(p) > 1) + ["not_chinese"] * foreign
        analyses: dict[str, Any] = {}
        for task in tasks:
            try:
                analysis = answers.of(task)
                if notes:
                    analysis["notes"] = list(notes)
                analysis["abstained"] |= foreign
                analysis["explanation"] = explain(task, analysis, post.text, lang)
            except Exception as error:
                analysis = {"error": {"code": "model", "message": f"the model failed on this task: {error}"}}
            analyses[task.name] = analysis
        if all("error" in a for a in analyses.values()):
            error = next(iter(analyses.values()))["error"]
            return error_record(post.id, error["code"], error["message"], model)
        return ok_record(post.id, analyses, model, notes)


def _chunks(posts: Iterator[Post]) -> Iterator[list[Post]]:
    chunk: list[Post] = []
    size = 0
    for post in posts:
        chunk.append(post)
        size += len(post.text) if isinstance(post.text, str) else 0
        if len(chunk) == CHUNK or size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def cost_of(c: Constants, recall: float, prevalence: float | None = None) -> str:
    """What a recall costs, in a line: measured out of fold on posts like those trained on, the precision corrected for
    another prevalence."""
    rule = c.raw["risk"]
    row = next(x for x in rule["recall_table"] if x["recall"] >= recall - 1e-9)
    share = rule["prevalence"] if prevalence is None else prevalence
    right, wrong = row["reached"] * share, row["false_alarms"] * (1 - share)
    return (
        f"screening for a recall of {row['recall']:.0%}: out of fold that found {row['reached']:.0%} of the high posts, and "
        f"{right / max(right + wrong, 1e-12):.2g} of what it calls high is high where {share:.2g} of the posts are"
    )


def load_linear(path: Path) -> Linear:
    with np.load(path) as z:
        return Linear(z["weights"], z["scale"], z["bias"], z["idf"].astype(np.float32))


def check_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of the model, compared with checksums.json. Raises MissingError."""
    mend = "install mentalglm again: pip install --force-reinstall mentalglm"
    try:
        raw: dict[str, str] = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))
        listed = {name: raw[name] for name in FILES}
    except (OSError, ValueError, KeyError, TypeError):
        raise MissingError(
            f"the embedded model is not complete: no readable checksums.json in {folder}", mend
        ) from None
    for name, expected in listed.items():
        try:
            with (folder / name).open("rb") as f:
                found = hashlib.file_digest(f, "sha256").hexdigest()
        except OSError:
            raise MissingError(f"the embedded model is not complete: {folder / name} cannot be read", mend) from None
        if found != expected:
            raise MissingError(f"the embedded model is damaged: {folder / name} is not the file that was shipped", mend)
    return listed
