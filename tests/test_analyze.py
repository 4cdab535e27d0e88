from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.analyze import Tally, in_order, run
from mentalglm.errors import UserError
from mentalglm.schema import BadRow, Post, Record, error_record

from .fakes import FakeModel

Row = Post | BadRow


class Kept:
    def __init__(self) -> None:
        self.rows: list[tuple[Record, Row]] = []

    def write(self, record: Record, post: Row) -> None:
        self.rows.append((record, post))


def rows_of(kinds: list[bool]) -> list[Row]:
    return [Post(str(i), "早安") if ok else BadRow(str(i), i, "bad_json", "no JSON") for i, ok in enumerate(kinds)]


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 7))
def test_rows_that_cannot_be_read_stay_in_their_place(kinds: list[bool], chunk: int) -> None:
    rows = rows_of(kinds)
    out = list(in_order(FakeModel(chunk), rows, ["suicide_risk"], "zh"))
    assert [row for _, row in out] == rows
    assert [r["id"] for r, _ in out] == [row.id for row in rows]
    assert [r["status"] == "ok" for r, _ in out] == kinds


def test_it_reads_ahead_no_further_than_the_model() -> None:
    taken = 0

    def posts() -> Iterator[Post]:
        nonlocal taken
        for i in range(1000):
            taken += 1
            yield Post(str(i), "早安")

    out = in_order(FakeModel(chunk=8), posts(), ["suicide_risk"], "zh")
    next(out)
    assert taken == 8


def test_an_error_of_the_reader_comes_after_the_rows_before_it() -> None:
    def posts() -> Iterator[Post]:
        yield from (Post(str(i), "早安") for i in range(3))
        raise UserError("the file ends in the middle", "copy it again")

    out = in_order(FakeModel(chunk=64), posts(), ["suicide_risk"], "zh")
    assert [next(out)[0]["id"] for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(UserError, match="in the middle"):
        next(out)


def test_the_model_is_not_loaded_for_nothing() -> None:
    def load() -> FakeModel:
        raise AssertionError("loaded")

    assert run([], load, Kept()) == 0


def test_the_exit_code_and_the_last_line() -> None:
    said: list[str] = []
    rows = [Post("a", "早安"), Post("b", "坏"), BadRow("c", 3, "bad_json", "no JSON"), Post("d", "只想彻底消失")]
    kept = Kept()
    assert run(rows, FakeModel, kept, say=said.append) == 1
    assert len(kept.rows) == 4
    assert len(said) == 1
    assert "4 rows, 1 not sure (suicide_risk 1), 2 failed (model 1, bad_json 1)" in said[0]


def test_what_an_operating_point_costs_is_told() -> None:
    class Screening(FakeModel):
        note = "recall=0.95 of high risk at a precision of 0.61"

    said: list[str] = []
    run([Post("1", "早安")], Screening, Kept(), say=said.append)
    assert said == ["mentalglm: note: recall=0.95 of high risk at a precision of 0.61"]


def test_one_good_text_needs_no_last_line() -> None:
    said: list[str] = []
    assert run([Post("1", "早安")], FakeModel, Kept(), say=said.append) == 0
    assert not said


def test_a_tally_counts_every_kind() -> None:
    tally = Tally()
    tally.add(error_record("1", "empty_text", "empty"))
    ok = {"abstained": True, "dropped_quotes": 2}
    failed = {"error": {"code": "model", "message": "no"}}
    tally.add({"status": "ok", "analyses": {"suicide_risk": ok, "cognitive_distortion": failed}})
    assert tally.line() == (
        "2 rows, 1 not sure (suicide_risk 1), 1 failed (empty_text 1), 1 single tasks failed, "
        "2 quotes dropped that are not in their post"
    )
