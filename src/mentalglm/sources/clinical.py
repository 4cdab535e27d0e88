"""De-identified clinical records, transcripts or notes, for the pathway task: one row a turn of the patient (or a
paragraph of a note), sentence by sentence, and all rows of a record in one group, so that they stay in one split.

Plain text: a file is a record; `来访者：…` at the beginning of a line begins a turn. JSONL: a line is a record, with
`text` or `turns` (`speaker`, `text`), and with labels where people have annotated it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ..errors import MissingError, UserError
from ..text import sentences
from . import clean, lines, pathway
from .cognitive_pathways import spans_of
from .labelled import Labelled, Sentence
from .source import File, Place, Row, Source, Unusable, attempt, labelled

Role = Literal["patient", "other", "text"]
SPEAKERS: dict[str, Role] = {
    **dict.fromkeys(("来访者", "来访", "访客", "患者", "病人", "求助者", "当事人", "client", "patient"), "patient"),
    **dict.fromkeys(
        ("咨询师", "治疗师", "心理师", "医生", "医师", "护士", "家属", "督导", "therapist", "counselor", "counsellor",
         "doctor", "nurse", "interviewer"), "other",
    ),
}  # fmt: skip
_MARK = re.compile(r"\s*[【\[(（]?(?P<who>[^\W\d_]{1,12})\d{0,2}[】\])）]?\s*[：:]\s*")
_TEXT, _JSON = (".txt", ".md", ".text"), (".jsonl", ".ndjson", ".json")


class Records(BaseModel):
    """files: names or patterns (`notes/*.txt`) in the data folder. speakers: who is who where the marks are others than
    来访者, 咨询师, …: `patient`, `other`, or `text` for a word that is no mark. unit: a row is a turn (of a note: a
    paragraph), or the whole record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(default="clinical", pattern=r"^[a-z][a-z0-9_-]*$")
    files: list[str] = Field(min_length=1)
    speakers: dict[str, Role] = {}
    unit: Literal["turn", "record"] = "turn"
    language: Literal["zh", "en"] = "zh"
    name: str = ""
    licence: str = "not for distribution"


class Turn(NamedTuple):
    """What one speaker said without a break (a paragraph of a note: no speaker), and its annotation if there is one."""

    line: int
    speaker: str
    text: str
    spans: list[pathway.Span] | None = None
    problem: tuple[Any, str] | None = None


def source(records: Records, folder: str | Path) -> Source:
    """The set of records in `folder`. Raises MissingError where a name or pattern finds nothing."""
    base = Path(folder)
    found: dict[str, None] = {}
    for pattern in records.files:
        here = sorted(p.relative_to(base).as_posix() for p in base.glob(pattern) if p.is_file())
        if not here:
            raise MissingError(f"no file {pattern} is in {base}", "name the folder of the records with --from FOLDER")
        found |= dict.fromkeys(here)
    wrong = [name for name in found if PurePosixPath(name).suffix.lower() not in (*_TEXT, *_JSON)]
    if wrong:
        raise UserError(f"{', '.join(wrong[:5])}: records are read from .txt, .md, .jsonl", "save them as one of these")
    name = records.name or records.key
    return Source(
        key=records.key, zh=name, en=name, task="cognitive_pathway", language=records.language, personal=True,
        licence=records.licence, paper="", files=tuple(File(x, "", "record", flat=()) for x in found),
        forms=("record",), unfetchable="clinical records are your own", own=True,
        read=lambda source, place, places: _read(records, source, place),
    )  # fmt: skip


def _read(records: Records, source: Source, place: Place) -> Iterator[Row]:
    known: dict[str, Role] = {word.lower(): role for word, role in (SPEAKERS | records.speakers).items()}
    if place.path.suffix.lower() in _TEXT:
        record = str(PurePosixPath(place.file.path).with_suffix(""))
        yield from _rows(records, source, place, record, _turns(place, known), known)
        return
    for item in lines.objects(place.path):
        record = str(item.value.get("record_id", item.value.get("record", item.value.get("id", item.line))))
        try:
            turns = _turns_of(item, known, place)
        except Unusable as error:
            yield attempt(source, place, item.line, "", lambda e=error: _raise(e))
            continue
        yield from _rows(records, source, place, record, turns, known)


def _raise(error: Unusable) -> Labelled:
    raise error


def _rows(
    records: Records, source: Source, place: Place, record: str, turns: list[Turn], known: dict[str, Role]
) -> Iterator[Row]:
    spoken = [(n, t) for n, t in enumerate(turns, 1) if known.get(t.speaker.lower(), "patient") == "patient"]
    if records.unit == "record" and spoken:
        spoken = [(1, _whole([turn for _, turn in spoken]))]
    for number, turn in spoken:
        yield attempt(
            source, place, turn.line, turn.text, lambda t=turn, n=number: _labelled(source, place, record, n, t)
        )


def _labelled(source: Source, place: Place, record: str, number: int, turn: Turn) -> Labelled:
    if turn.problem:
        raise Unusable(*turn.problem)
    extra = {"record": record, "turn": str(number)} | ({"speaker": turn.speaker} if turn.speaker else {})
    fields: dict[str, Any] = {"group": f"{source.key}/{record}", "extra": extra}
    if turn.spans is None:
        text = clean.tidy(turn.text)
        fields |= {"text": text, "sentences": tuple(Sentence(a, b, ()) for a, b in sentences(text))}
    else:
        fields |= pathway.place(turn.text, turn.spans, fill=True)
    return labelled(source, place, f"{source.key}-{record}-{number:03d}", **fields)


def _whole(turns: Sequence[Turn]) -> Turn:
    """The turns as one text, a line each."""
    text = "\n".join(turn.text for turn in turns)
    spans: list[pathway.Span] = []
    at = 0
    for turn in turns:
        spans += [s._replace(start=s.start + at, end=s.end + at) for s in turn.spans or ()]
        at += len(turn.text) + 1
    annotated = any(turn.spans is not None for turn in turns)
    problem = next((turn.problem for turn in turns if turn.problem), None)
    return Turn(turns[0].line, turns[0].speaker, text, spans if annotated else None, problem)


# ---- plain text


def _turns(place: Place, known: dict[str, Role]) -> list[Turn]:
    """The turns of a transcript (what stands before the first is a heading, and nobody's words); the paragraphs of a
    file in which nobody is marked as speaking."""
    read = list(lines.text_lines(place.path))
    marks = Counter(m["who"].lower() for line in read if (m := _MARK.match(line.text)))
    if not any(known.get(who, "text") != "text" for who in marks):
        return [
            Turn(line.number, "", line.text.strip(), problem=("encoding", line.problem) if line.problem else None)
            for line in read
            if line.text.strip()
        ]
    unknown = sorted(who for who, n in marks.items() if n > 1 and who not in known)
    if unknown:
        raise UserError(
            f"{place.path}: who speaks after {', '.join(unknown)}?",
            'say it in the recipe: speakers = { NAME = "patient" } (or "other", or "text" for a word that is no mark)',
        )
    turns: list[Turn] = []
    for line in read:
        if not line.text.strip():
            continue
        mark = _MARK.match(line.text)
        problem = ("encoding", line.problem) if line.problem else None
        if mark and known.get(mark["who"].lower(), "text") != "text":
            turns.append(Turn(line.number, mark["who"], line.text[mark.end() :].strip(), problem=problem))
        elif turns:
            last = turns[-1]
            text = f"{last.text}\n{line.text.strip()}".strip()
            turns[-1] = last._replace(text=text, problem=last.problem or problem)
    return [turn for turn in turns if turn.text]


# ---- JSON


def _turns_of(item: lines.Item, known: dict[str, Role], place: Place) -> list[Turn]:
    row = item.take()
    given = row.get("turns")
    if given is None:
        return [_turn(item.line, "", row)]
    if not isinstance(given, list) or not all(isinstance(turn, dict) for turn in given):
        raise Unusable("bad_json", "`turns` is no list of objects")
    turns = [_turn(item.line, str(turn.get("speaker", turn.get("role", ""))).strip(), turn) for turn in given]
    if unknown := sorted({turn.speaker for turn in turns if turn.speaker and turn.speaker.lower() not in known}):
        raise UserError(
            f"{place.path}, item {item.line}: who is {', '.join(unknown)}?",
            'say it in the recipe: speakers = { NAME = "patient" } (or "other")',
        )
    return turns


def _turn(line: int, speaker: str, row: dict[str, Any]) -> Turn:
    """A text with what people annotated: `sentences` with `start` and `end` or `text`, or the annotation tool's spans."""
    text = row.get("text")
    given = row.get("sentences")
    if isinstance(given, list):
        if not all(isinstance(s, dict) for s in given):
            raise Unusable("bad_json", "`sentences` is no list of objects")
        if not isinstance(text, str):
            text = "\n".join(str(s.get("text", "")) for s in given)
        return Turn(line, speaker, text, _spans(given, text))
    if not isinstance(text, str):
        raise Unusable("empty_text", "there is no text")
    annotated = any(isinstance(row.get(name), list) for name in ("entities", "label", "labels"))
    return Turn(line, speaker, text, spans_of(row, text) if annotated else None)


def _spans(given: list[dict[str, Any]], text: str) -> list[pathway.Span]:
    spans: list[pathway.Span] = []
    at = 0
    for sentence in given:
        names = sentence.get("labels", sentence.get("label", []))
        labels = pathway.keys([names] if isinstance(names, str) else names or [])
        start, end = sentence.get("start"), sentence.get("end")
        if not isinstance(start, int) or not isinstance(end, int):
            said = str(sentence.get("text", ""))
            start = text.find(said, at) if said else -1
            if start < 0:
                raise Unusable(
                    "bad_span", f"the sentence {json.dumps(said[:20], ensure_ascii=False)} is not in the text"
                )
            end = start + len(said)
        at = end
        spans.append(pathway.Span(start, end, labels))
    return spans
