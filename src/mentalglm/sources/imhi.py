"""IMHI: ten English sets of instructions with explanations (Yang et al., arXiv 2309.13567). For non-clinical research.

Two styles: `query` and `gpt-3.5-turbo`, where the query asks and the response answers `<label sentence> Reasoning:
<text>`; and completion, where the query ends before the answer. Labels are read from the label sentence by a table,
never by a substring of the whole response.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import UserError
from . import clean, lines, tidy
from .labelled import Labelled, Part
from .source import TIDY, File, Place, Row, Source, Unusable, attempt, labelled, numbered

_INSTRUCTION = re.compile(r'Consider this post:\s*"(?P<post>.*)"\s*Question:\s*(?P<question>.*)', re.DOTALL)
# Where the post ends in a masked address the closing quotation mark went with it.
_UNQUOTED = re.compile(r'Consider this post:\s*"?(?P<post>.*?)"?\s*Question:\s*(?P<question>[^"]*)', re.DOTALL)
_COMPLETION = re.compile(r"(?:Post:\s*)?(?P<post>.*?),?\s*Question:\s*(?P<question>(?:(?!Question:).)*)", re.DOTALL)

_YES_NO = {"yes": "yes", "no": "no"}
_SAD = {
    "school": "school", "financial problem": "financial_problem", "family issues": "family_issues",
    "social relationships": "social_relationships", "work": "work", "health issues": "health_issues",
    "emotion turmoil": "emotion_turmoil", "emotional turmoil": "emotion_turmoil",
    "everyday decision making": "everyday_decision_making", "other causes": "other_causes", "other": "other_causes",
    "other stress causes": "other_causes",
}  # fmt: skip
_SWMH = {
    "no mental": "none", "suicide": "suicide", "suicidal": "suicide", "depression": "depression", "anxiety": "anxiety",
    "bipolar": "bipolar",
}  # fmt: skip
_T_SID = {
    "no mental": "none", "suicide or self-harm": "suicide_or_self_harm", "depression": "depression", "ptsd": "ptsd",
}  # fmt: skip
_CAMS = {
    "none": "none", "no causes": "none", "bias or abuse": "bias_or_abuse", "jobs and career": "jobs_and_careers",
    "medication": "medication", "relationship": "relationship", "alienation": "alienation",
}  # fmt: skip
_TABLES = {"SAD": _SAD, "SWMH": _SWMH, "T-SID": _T_SID, "CAMS": _CAMS}
SETS = ("DR", "CLP", "dreaddit", "SWMH", "T-SID", "SAD", "CAMS", "loneliness", "MultiWD", "Irf")


def _read(name: str, source: Source, place: Place) -> Iterator[Row]:
    if place.file.form == TIDY:
        yield from tidy.read(source, place, lambda row: _fields(name, row["query"], row.get("response")), "query")
        return
    completion = place.file.form == "completion"
    for number, row in enumerate(_rows(place, completion), 1):

        def make(number: int = number, row: lines.Cells = row) -> Labelled:
            *query, response = row.take(len(row.cells))
            id_ = numbered(f"imhi-{name}", place.file.part, number, 5)
            return labelled(source, place, id_, **_fields(name, "".join(query), response, completion))

        yield attempt(source, place, row.line, " ".join(row.cells), make)


def _rows(place: Place, completion: bool) -> Iterator[lines.Cells]:
    """The text columns of a file, the response last; a column of row numbers is left out."""
    rows = lines.csv(place.path)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{place.path} is empty", "fetch it again, or name another folder")
    names = [cell.strip().lstrip("\ufeff") for cell in first.cells]
    if completion:
        kept = [i for i, name in enumerate(names) if name and not name.startswith("Unnamed")]
        right = len(kept) >= 2
    else:
        kept = [names.index(name) for name in ("query", "gpt-3.5-turbo") if name in names]
        right = len(kept) == 2
    if not right:
        raise UserError(
            f"{place.path}, line {first.line}: the header is {lines.shown_cells(names, ', ')!r}, not 'query, gpt-3.5-turbo'",
            "is this the published file?",
        )
    for row in rows:
        if row.problem or len(row.cells) != len(names):
            what = f"it has {len(row.cells)} cells, not {len(names)}"
            yield row._replace(problem=row.problem or ("cells", what))
        else:
            yield row._replace(cells=[row.cells[i] for i in kept])


def _fields(name: str, query: str, response: Any, completion: bool = False) -> tidy.Fields:
    if not isinstance(response, str) or not response.strip():
        raise Unusable("empty_text", "there is no response")
    extra = {}
    if completion and _MAC_ROMAN in query + response:
        query, response = _from_mac_roman(query), _from_mac_roman(response)
        extra = {"repaired": "UTF-8 that had been read as Mac Roman"}
    query, response = clean.tidy(query), clean.tidy(response)
    patterns = (_COMPLETION,) if completion else (_INSTRUCTION, _UNQUOTED)
    match = next((m for pattern in patterns if (m := pattern.fullmatch(query))), None)
    if match is None:
        raise Unusable("no_question", "the post and the question cannot be told apart")
    head, _, reasons = response.partition("Reasoning:")
    label = label_of(name, head, completion)
    if label is None:
        raise Unusable(
            "unknown_label", f"no label can be read from the first sentence ({len(head.strip())} characters)"
        )
    return {
        "text": match["post"],
        "labels": (label,),
        "question": match["question"].strip(),
        "answer": response,
        "explanation": reasons.strip() or None,
        "extra": extra,
    }


def label_of(name: str, sentence: str, completion: bool = False) -> str | None:
    """The label that a label sentence of the set `name` states; None where it states none or several."""
    said = " ".join(sentence.lower().split()).strip(" .,:")
    table = _TABLES.get(name, _YES_NO)
    if table is _YES_NO:
        first = re.match(r"(yes|no)\b", said)
        return first[1] if first else None
    if name == "SAD":
        if completion:
            return table.get(said)
        cause = re.fullmatch(r"this post shows (?:the stress cause related to )?(.+)", said)
        return table.get(cause[1]) if cause else None
    found = {key for phrase, key in table.items() if re.search(rf"\b{re.escape(phrase)}", said)}
    if "none" in found:  # "no mental disorders such as depression" states the first
        found = {"none"}
    return found.pop() if len(found) == 1 else None


_MAC_ROMAN = "‚Ä"  # what the first two bytes of a curly quotation mark became in a published file


def _from_mac_roman(text: str) -> str:
    with contextlib.suppress(UnicodeError):
        return text.encode("mac_roman").decode("utf-8")
    return text


_KNOWN: dict[str, tuple[int, int, int, str]] = {
    "DR/train": (1003, 1798690, 1020, "1119103ea799f24825ab3cc54260bfcd"),
    "DR/val": (430, 763455, 440, "4d07e5e7d0f301147b222defaa28dd40"),
    "dreaddit/train": (2837, 2982271, 2860, "d621606ac0caec010f7c2142f0ec2e73"),
    "dreaddit/val": (300, 315783, 301, "bf0e124bcdc94e467c311a39626f61d8"),
    "SAD/train": (5547, 3223814, 5548, "5431cd46b038fd03af309bd7120a9035"),
    "SAD/val": (616, 355444, 617, "88d15a943e6a2bd4bf7be7adc9686947"),
    "Irf/val": (985, 1448878, 3267, "936e9ea06450b926faa2794956d7edd9"),
    "MultiWD/val": (1500, 1739606, 1501, "bb9c1631b5cf9bcb2c6709adba5377fe"),
}
_ROWS = {"Irf/train": 3943, "MultiWD/train": 15744}
_COMPLETIONS = {  # names that are not `train.csv` and `val.csv`
    "DR/train": "reddit_train.csv", "DR/val": "reddit_valid.csv", "dreaddit/train": "dreaddit-train.csv",
}  # fmt: skip
_TIDY = {
    "DR/train": (1003, "6647ecd12efc5cf0"), "DR/val": (430, "1fdc25bba4b22389"),
    "dreaddit/train": (2837, "c8c6e1117e9db341"), "dreaddit/val": (300, "47faa0982f783777"),
    "SAD/train": (5547, "4662a9bff29aa5b2"), "SAD/val": (616, "3c2bf1d276bdeac9"),
    "Irf/val": (985, "aa34284e55b5b417"), "MultiWD/val": (1500, "ad79deb14e8bc8eb"),
}  # fmt: skip


def _files(name: str) -> Iterator[File]:
    words: tuple[tuple[Part, str], ...] = (("train", "train"), ("validation", "val"))
    for part, word in words:
        at = f"{name}/{word}"
        rows, size, count, digest = _KNOWN.get(at, (_ROWS.get(at), None, None, ""))
        yield File(
            f"train_data/instruction_data/{at}.csv", part, "instruction", rows, size, count, digest,
            flat=(f"instruction_data/{at}.csv", f"{at}.csv"),
        )  # fmt: skip
        file = f"{name}/{_COMPLETIONS.get(at, word + '.csv')}"
        yield File(f"train_data/complete_data/{file}", part, "completion", rows, flat=(f"complete_data/{file}",))
        if at in _TIDY:
            yield File(f"imhi/{at}.jsonl", part, TIDY, _TIDY[at][0], sha256=_TIDY[at][1])
    spelt = name.lower() if name in ("SWMH", "T-SID") else name
    for style, form in (("test_instruction", "instruction"), ("test_complete", "completion")):
        flat = (f"{style}/{spelt}.csv", f"test_data/{style}/{name}.csv", f"{style}/{name}.csv")
        yield File(f"test_data/{style}/{spelt}.csv", "test", form, flat=flat)


def _source(name: str) -> Source:
    return Source(
        key=f"imhi_{name.lower()}",
        zh=f"IMHI {name}",
        en=f"IMHI {name}",
        task=f"imhi_{name.lower()}",
        language="en",
        licence="MIT, non-clinical research",
        paper="Yang et al., MentaLLaMA, arXiv 2309.13567",
        repository="SteveKGYang/MentalLLaMA",
        commit="42cd29dfb910",
        forms=("instruction", "completion", TIDY),
        files=tuple(_files(name)),
        read=lambda source, place, places: _read(name, source, place),
        about={
            "Irf": "released answers disagree with the human labels on 22 % of rows",
            "MultiWD": "released answers disagree with the human labels on 14 % of rows",
        }.get(name, ""),
    )


def _evidence(source: Source, place: Place, places: Sequence[Place]) -> Iterator[Row]:
    def fields(row: dict[str, Any]) -> tidy.Fields:
        return _fields("Irf", row["query"], row.get("response")) | {"extra": {"span": str(row.get("span") or "")}}

    yield from tidy.read(source, place, fields, "query")


EVIDENCE = Source(
    key="irf_evidence",
    zh="IRF 人工证据",
    en="IRF, evidence marked by people",
    task="imhi_irf",
    language="en",
    licence="none stated; for research",
    paper="the source set of IMHI's Irf",
    unfetchable="it is in the tidy folder only",
    files=(File("imhi/Irf/train_evidence.jsonl", "train", TIDY, 3944, sha256="72a72f57ceb6be24"),),
    read=_evidence,
    about="extra.span is the evidence; a check for evidence finding",
)
SOURCES = (*(_source(name) for name in SETS), EVIDENCE)
