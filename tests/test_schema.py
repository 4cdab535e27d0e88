"""`schema`: records have the keys and the order of the contract, and `validate` finds what breaks it."""

from __future__ import annotations

import copy
import json

import pytest

from mentalglm.schema import ERROR_CODES, Evidence, error_record, ok_record, validate
from mentalglm.tasks import load

TEXT = "我就是个废物，真的不想活了。"
MODEL = {"name": "fake", "revision": "0"}


def analyses() -> dict:
    distortion = load("cognitive_distortion")
    pathway = load("cognitive_pathway")
    p = {key: 0.9 if key in ("belief", "belief.labeling") else 0.1 for key in pathway.keys}
    return {
        "suicide_risk": {
            "labels": ["low"],
            "probabilities": {"low": 0.8, "high": 0.2},
            "evidence": [Evidence("low", 9, 13, "不想活了").as_dict()],
            "explanation": "…",
            "abstained": False,
            "level": 5,
            "expression": "wish",
            "subject": "self",
            "past_attempt": False,
        },
        "cognitive_distortion": {
            "labels": ["labeling"],
            "probabilities": {key: 0.9 if key == "labeling" else 0.1 for key in distortion.keys},
            "evidence": [Evidence("labeling", 0, 6, "我就是个废物").as_dict()],
            "explanation": "…",
            "abstained": False,
        },
        "cognitive_pathway": {
            "labels": ["belief", "belief.labeling"],
            "probabilities": p,
            "evidence": [Evidence("belief.labeling", 0, 6, "我就是个废物").as_dict()],
            "explanation": "…",
            "abstained": False,
            "sentences": [{"start": 0, "end": 14, "labels": ["belief", "belief.labeling"], "probabilities": p}],
        },
    }


def test_a_right_record_has_no_problems():
    record = ok_record("p1", analyses(), MODEL)
    assert validate(record, TEXT) == []
    assert list(record) == ["schema_version", "id", "status", "analyses", "model"]
    assert list(ok_record("p1", analyses(), MODEL, ["windows"]))[-1] == "notes"
    json.dumps(record)


def test_a_failed_row_has_its_reason():
    record = error_record("p1", "empty_text", "row 3 has no text")
    assert validate(record, "") == []
    assert list(record) == ["schema_version", "id", "status", "error"]
    assert "analyses" not in record
    assert list(error_record("p1", "model", "…", MODEL))[-1] == "model"
    assert validate(error_record("p1", "whatever", "…"), "") == ["error: unknown error code 'whatever'"]
    assert "empty_text" in ERROR_CODES


def test_one_failed_task_is_no_failed_row():
    mixed = analyses() | {"suicide_risk": {"error": {"code": "unparsed", "message": "…"}}}
    assert validate(ok_record("p1", mixed, MODEL), TEXT) == []
    alone = {"suicide_risk": {"error": {"code": "unparsed", "message": "…"}}}
    assert validate(ok_record("p1", alone, MODEL), TEXT) == ["every task failed, but the status is ok"]


BREAKS = [
    (("suicide_risk", "probabilities"), {"low": 0.8, "high": 0.8}, "sum to"),
    (("suicide_risk", "probabilities"), {"low": 1.0}, "probabilities are for"),
    (("suicide_risk", "labels"), [], "0 labels"),
    (("suicide_risk", "labels"), ["medium"], "unknown label"),
    (("suicide_risk", "labels"), ["high"], "no evidence for high"),
    (("suicide_risk", "level"), 11, "level is 11"),
    (("suicide_risk", "level"), True, "level is True"),
    (("suicide_risk", "expression"), "sad", "expression is"),
    (("suicide_risk", "subject"), None, "subject is"),
    (("suicide_risk", "past_attempt"), None, "past_attempt is"),
    (("suicide_risk", "explanation"), "", "no explanation"),
    (("suicide_risk", "abstained"), None, "abstained"),
    (("suicide_risk", "evidence"), [{"label": "low", "start": 9, "end": 13, "quote": "想活了吗"}], "is not text[9:13]"),
    (("suicide_risk", "evidence"), [{"label": "low", "start": 9, "end": 99, "quote": "x"}], "outside the text"),
    (("cognitive_distortion", "labels"), ["labeling", "labeling"], "stands twice"),
    (("cognitive_distortion", "labels"), ["labeling", "mind_reading"], "no evidence for mind_reading"),
    (("cognitive_pathway", "labels"), ["belief.labeling"], "without belief"),
    (("cognitive_pathway", "labels"), ["belief"], "not the union"),
    (("cognitive_pathway", "sentences"), [{"start": 5, "end": 99, "labels": [], "probabilities": None}], "outside"),
]


@pytest.mark.parametrize(("where", "value", "problem"), BREAKS)
def test_what_breaks_the_contract_is_found(where, value, problem):
    record = copy.deepcopy(ok_record("p1", analyses(), MODEL))
    record["analyses"][where[0]][where[1]] = value
    assert any(problem in found for found in validate(record, TEXT)), validate(record, TEXT)


def test_no_probabilities_are_null_and_no_labels_are_allowed():
    record = ok_record("p1", analyses(), MODEL)
    record["analyses"]["cognitive_distortion"] |= {"probabilities": None, "labels": [], "evidence": []}
    assert validate(record, TEXT) == []
