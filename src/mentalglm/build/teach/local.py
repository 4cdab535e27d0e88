"""The teachers that need no server: `offline` words what the embedded model finds for the gold label, `existing` takes
the explanation that came with a post. The gold label is always given; neither speaks to whether it is right.

`subject` and `past_attempt`, which no published set has, are the embedded model's readings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from mentalglm import evidence
from mentalglm.build.item import Item, Taught
from mentalglm.build.teach import compose
from mentalglm.build.teach.teacher import Request
from mentalglm.models.mini import Mini
from mentalglm.models.mini.answer import Answers
from mentalglm.models.mini.decide import DISTORTION, LEVEL, RISK, SUBJECT
from mentalglm.tasks import NAMES, load
from mentalglm.tasks.answer import EXPRESSION_OF_LEVEL, SUBJECTS, Answer, Quote
from mentalglm.text.attempt import ATTEMPT_HINT

CHUNK = 256
CLAUSE = 24  # characters of a clause that is quoted whole
VERSION = "1"  # of the composing code; the wording is hashed
_QUOTED = re.compile(r"[“「『]([^“”「」『』]{2,})[”」』]")
_FINAL = "。！？!?…~～；;，, \n\t"


class _Local:
    remote = False
    asks = False
    improves = False
    name = ""

    def __init__(self, mini: Mini | None = None) -> None:
        self.mini = mini or Mini()
        files = sorted(compose.FOLDER.glob("*.toml"))
        parts = [VERSION, self.name, self.mini.revision, *(f.read_text(encoding="utf-8") for f in files)]
        self.fingerprint = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def takes(self, item: Item) -> bool:
        return item.task in NAMES

    async def answer(self, requests: Iterable[Request]) -> AsyncIterator[tuple[Request, Taught]]:
        for chunk in _chunks(requests):
            asked = [r for r in chunk if load(r.item.task).kind != "sentence"]  # whose evidence is whole sentences
            found = dict(zip((r.item.id for r in asked), self.mini.read([r.item.text for r in asked]), strict=True))
            for request in chunk:
                yield request, self._taught(request, found.get(request.item.id))

    def _taught(self, request: Request, read: Answers | None) -> Taught:
        raise NotImplementedError


class Offline(_Local):
    name = "offline"
    improves = True  # another attempt has other words

    def _taught(self, request: Request, read: Answers | None) -> Taught:
        item = request.item
        found = spans(item, read)
        more = further(item, read)
        text = compose.explanation(item, found, more, request.attempt)
        summary = compose.summary(item, found) if load(item.task).kind == "sentence" else {}
        answer = Answer(tuple(found), text, item.labels, more, summary)
        return Taught(self.name, "given", "ok", answer, attempt=request.attempt)


class Existing(_Local):
    name = "existing"

    def takes(self, item: Item) -> bool:
        """An explanation of another level than the label's would argue against it."""
        return bool(item.explanations) and not item.disagrees

    def _taught(self, request: Request, read: Answers | None) -> Taught:
        item = request.item
        text = " ".join(item.explanations[0].split())
        if load(item.task).kind == "sentence":
            found = _sentences(item)
            return Taught(
                self.name, "given", "ok", Answer(tuple(found), text, item.labels, {}, compose.summary(item, found))
            )
        quoted = [q for q in (m[1].strip() for m in _QUOTED.finditer(text)) if q]
        label = item.labels[0] if item.labels else ""
        places = [(at, q) for q in dict.fromkeys(quoted) if (at := item.text.find(q)) >= 0]
        found = [Quote(label, at, at + len(q), q) for at, q in sorted(places)]
        answer = Answer(
            tuple(_within(item, found, spans(item, read))),
            text,
            item.labels,
            further(item, read),
            dropped_quotes=tuple(q for q in quoted if q not in item.text),
        )
        return Taught(self.name, "given", "ok", answer)


def _within(item: Item, quoted: list[Quote], read: Sequence[Quote]) -> list[Quote]:
    """The words that an explanation quotes are its evidence. Where it quotes more than half of the post: the passages
    with what the embedded model weighs most, as far as half of the post allows; else the model's own words."""
    limit = max(len(item.text) // 2, evidence.SHORT_BUDGET)
    if sum(q.end - q.start for q in quoted) <= limit or not read:
        return quoted
    kept: list[Quote] = []
    for q in sorted(quoted, key=lambda q: (-_shared(q, read), q.end - q.start, q.start)):
        if _shared(q, read) and sum(k.end - k.start for k in kept) + q.end - q.start <= limit:
            kept.append(q)
    return sorted(kept, key=lambda q: q.start) or list(read)


def _shared(q: Quote, read: Sequence[Quote]) -> int:
    return sum(max(0, min(q.end, r.end) - max(q.start, r.start)) for r in read)


def further(item: Item, read: Answers | None) -> dict[str, Any]:
    """`level` and `expression` are the annotators' (None where there are none), the rest is read. `past_attempt` is None
    where the post has a word of such an attempt and the model does not read one: it misses too many."""
    if item.task != "suicide_risk":
        return {}
    level = item.level
    said = read.of(load(item.task)) if read else {}
    subject = said.get("subject")
    if level is not None and level >= 4:
        subject = "self"  # a wish or plan is the author's own, by the definition of the level
    elif level == 0 and subject == "self":
        subject = "none"
    elif item.labels == ("high",):
        subject = "self"
    return {
        "level": level,
        "expression": None if level is None else EXPRESSION_OF_LEVEL[level],
        "subject": subject,
        "past_attempt": said.get("past_attempt") or (None if ATTEMPT_HINT.search(item.text) else False),
    }


def spans(item: Item, read: Answers | None) -> list[Quote]:
    """The words of the post that carry its gold labels, as the embedded model weighs them; for the pathway the labelled
    sentences themselves."""
    if load(item.task).kind == "sentence":
        return _sentences(item)
    if read is None:
        return []
    wanted = _columns(item, read)
    most = 2 if len(wanted) < 2 else 1
    found = [e for key, columns in wanted for e in read.spans(key, *columns, most=most)]
    return _readable(item.text, [Quote(e.label, e.start, e.end, e.quote) for e in found])


def _readable(text: str, found: list[Quote]) -> list[Quote]:
    """Whole clauses in place of what a budget cut short, as far as they leave a longer post half of itself."""
    whole = [
        Quote(q.label, *at, text[at[0] : at[1]])
        for q in found
        for at in [evidence.clause(text, q.start, q.end, CLAUSE)]
    ]
    for label in {q.label for q in whole}:
        taken = {i for q in whole if q.label == label for i in range(q.start, q.end)}
        if len(text) > evidence.SHORT and len(taken) > len(text) // 2:
            return found
    return list(dict.fromkeys(whole))


def _columns(item: Item, read: Answers) -> list[tuple[str, tuple[int, ...]]]:
    """Each label that needs evidence, with the outputs of the model that speak for it."""
    if item.task != "suicide_risk":
        keys = load(item.task).keys
        return [(key, (DISTORTION.start + keys.index(key),)) for key in item.labels]
    label, level = item.labels[0], item.level
    if label == "high":
        return [("high", (RISK,))]
    if level == 0:
        return []
    if level is None and further(item, read).get("subject") == "other":
        return [("low", (SUBJECT.start + SUBJECTS.index("other"),))]
    deepest = 5 if level is None else level
    return [("low", tuple(range(LEVEL.start, LEVEL.start + deepest)))]


def _sentences(item: Item) -> list[Quote]:
    out = []
    for s in item.sentences:
        start, end = s.start, s.end
        while end > start and item.text[end - 1] in _FINAL:
            end -= 1
        while start < end and item.text[start].isspace():
            start += 1
        out += [Quote(label, start, end, item.text[start:end]) for label in s.labels if end > start]
    return out


def _chunks(requests: Iterable[Request]) -> Iterator[list[Request]]:
    rest = iter(requests)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
