from __future__ import annotations

import os
import subprocess
import sys

import pytest

import mentalglm
from mentalglm import models
from mentalglm.errors import UserError
from mentalglm.models import given
from mentalglm.schema import Post

from .command import environment
from .fakes import FakeModel


@pytest.mark.parametrize("spec", ["nano", "9b-chat", "api:some", "cascade:mini+nano", "./folder", "min", ""])
def test_this_version_has_only_mini_and_says_so(spec: str) -> None:
    with pytest.raises(UserError, match="mini"):
        mentalglm.load(spec)


@pytest.mark.parametrize(("point", "recall"), [("recall=0.95", 0.95), ("recall=.9", 0.9), ("recall=95%", 0.95)])
def test_operating_points(point: str, recall: float) -> None:
    assert given.recall_of(point) == pytest.approx(recall)


@pytest.mark.parametrize("point", ["recall=0", "recall=1", "recall=100%", "precision=0.9", "0.95", "", "recall=nan"])
def test_other_operating_points_are_refused(point: str) -> None:
    with pytest.raises(UserError, match="as in recall"):
        models.check("mini", operating_point=point)


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"prevalence": 0.0}, {"prevalence": 1.0}, {"base_url": "http://x"}])
def test_values_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        models.check("mini", **wrong)


def test_posts_may_be_texts_posts_and_mappings() -> None:
    posts = ["甲", Post("x", "乙"), {"id": "p", "text": "丙", "city": "北京"}, {"text": "丁", "id": None}, {"id": 7}]
    assert list(given.posts_of(posts)) == [
        Post("1", "甲"),
        Post("x", "乙"),
        Post("p", "丙", {"city": "北京"}),
        Post("4", "丁"),
        Post("7", None),  # type: ignore[arg-type]
    ]
    assert posts[2] == {"id": "p", "text": "丙", "city": "北京"}, "what is given stays as it is"


@pytest.mark.parametrize("wrong", ["好累", b"x", Post("1", "好累"), {"text": "好累"}, 5, None])
def test_what_is_no_list_of_posts_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(UserError, match="give a list of texts"):
        given.posts_of(wrong)  # type: ignore[arg-type]


def test_tasks_may_be_one_name_and_not_none_at_all() -> None:
    assert [task.name for task in given.tasks_of("suicide_risk")] == ["suicide_risk"]
    assert len(given.tasks_of(None)) == 3
    with pytest.raises(UserError, match="tasks is empty"):
        given.tasks_of([])


def test_no_more_threads_than_cores() -> None:
    cores = os.cpu_count() or 1
    assert given.threads_of(None) == (None, None)
    assert given.threads_of(cores) == (cores, None)
    threads, note = given.threads_of(9999)
    assert threads == cores
    assert note == f"9,999 threads are asked for and this machine has {cores}: {cores} are used"


def test_an_operating_point_has_one_spelling() -> None:
    assert {given.point_of(p) for p in ("recall=0.95", "recall=.95", "recall=95%")} == {"recall=0.95"}
    assert given.point_of(None) is None


def test_post_is_of_the_package_and_brings_nothing_heavy() -> None:
    assert mentalglm.Post is Post
    with pytest.raises(AttributeError, match="Poster"):
        _ = mentalglm.Poster  # type: ignore[attr-defined]
    code = (
        "import sys, mentalglm; assert 'mentalglm.schema' not in sys.modules; mentalglm.Post('1', '早安')\n"
        "assert not {'numpy', 'torch', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], env=environment(), timeout=300, check=True)


def test_the_fake_model_is_a_model() -> None:
    assert isinstance(FakeModel(), models.Model)
