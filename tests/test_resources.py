"""`resources`: the lines that are shown, their age, and when they are shown."""

from __future__ import annotations

from datetime import date

import pytest

from mentalglm.resources import crisis, needs_crisis


def test_the_file_is_not_too_old():
    """Fails when nobody has gone through `crisis.toml` for half a year: check each line, then set `checked_on`."""
    assert not crisis().is_stale(date.today())
    assert crisis().is_stale(date(2030, 1, 1))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_emergency_and_an_always_open_line_stand_first(lang):
    lines = crisis(lang).lines
    assert [line.number for line in lines[:2]] == ["110", "120"]
    assert lines[2].kind == "crisis"
    assert lines[2].always_open
    assert {"12356", "12355"} <= {line.number for line in lines}
    assert not next(line for line in lines if line.number == "12356").always_open
    assert all(line.source and line.source_on <= crisis().checked_on for line in lines)
    assert len(crisis(lang).friends) >= 3


def test_it_can_be_printed():
    assert "12356" in str(crisis("zh"))
    assert "2026" in str(crisis("en"))


BASE = {"labels": ["low"], "expression": "none", "subject": "none", "abstained": False, "level": 0}


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, False),
        ({"expression": "pain", "subject": "self", "level": 3}, False),
        ({"labels": ["high"]}, True),
        ({"expression": "wish"}, True),
        ({"expression": "plan"}, True),
        ({"expression": "imminent"}, True),
        ({"subject": "other"}, True),
        ({"subject": "unclear"}, True),
        ({"abstained": True}, True),
        ({"expression": None, "level": 4}, True),
        ({"expression": None, "level": 3}, False),
        ({"expression": None, "level": None}, False),
    ],
)
def test_when_they_are_shown(change, shown):
    assert needs_crisis({"suicide_risk": BASE | change}) is shown


def test_not_without_an_answer_about_risk():
    assert not needs_crisis({})
    assert not needs_crisis({"suicide_risk": {"error": {"code": "model", "message": "…"}}})
    assert not needs_crisis({"cognitive_distortion": {"labels": [], "abstained": True}})
