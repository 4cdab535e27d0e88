from __future__ import annotations

import pytest

import mentalglm
from mentalglm import models
from mentalglm.errors import UserError

from .fakes import FakeModel


@pytest.mark.parametrize(
    "spec", ["nano", "9b-chat", "api:some", "cascade:mini+nano", "./folder", "some/model", "min", ""]
)
def test_this_version_has_only_mini_and_says_so(spec: str) -> None:
    with pytest.raises(UserError, match="mini"):
        mentalglm.load(spec)


@pytest.mark.parametrize(("point", "recall"), [("recall=0.95", 0.95), ("recall=.9", 0.9), ("recall=95%", 0.95)])
def test_operating_points(point: str, recall: float) -> None:
    assert models.recall_of(point) == pytest.approx(recall)


@pytest.mark.parametrize("point", ["recall=0", "recall=1", "recall=100%", "precision=0.9", "0.95", "", "recall=nan"])
def test_other_operating_points_are_refused(point: str) -> None:
    with pytest.raises(UserError, match="as in recall"):
        models.check("mini", operating_point=point)


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"prevalence": 0.0}, {"prevalence": 1.0}, {"base_url": "http://x"}])
def test_values_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        models.check("mini", **wrong)


def test_the_fake_model_is_a_model() -> None:
    assert isinstance(FakeModel(), models.Model)
