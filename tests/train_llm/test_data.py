"""What is trained on: validation never, test never; mixes and replay as the recipe says; ablations change both turns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mentalglm import tasks
from mentalglm.build.export import rows as exported
from mentalglm.errors import MissingError, UserError
from mentalglm.tasks import answer
from mentalglm.train.llm import data, forms
from mentalglm.train.llm.recipe import Base, Recipe, SourcePart, Stage

SHARED = Path(__file__).parents[3] / "shared" / "data"


def shipped(name: str, split: str) -> list[dict[str, Any]]:
    text = (data.SHIPPED / "tiny" / name / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def recipe(*stages: Stage, **more: Any) -> Recipe:
    return Recipe(kind="llm", name="x", base=Base(hub="a/b"), stages=list(stages), **more)


def stage(name: str = "a", *sources: SourcePart, **more: Any) -> Stage:
    return Stage(name=name, sources=list(sources) or [SourcePart(shipped="tiny/imhi")], **more)


def dataset(folder: Path, **splits: list[dict[str, Any]]) -> SourcePart:
    folder.mkdir(exist_ok=True)
    for split, rows in splits.items():
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return SourcePart(dataset=str(folder))


def row(post: str, said: str = "是", split: str = "train") -> dict[str, Any]:
    turns = [{"role": "user", "content": f"问：{post}"}, {"role": "assistant", "content": said}]
    return {"id": post, "task": "suicide_risk", "text": post, "split": split, "messages": turns}


# --- the invented examples


@pytest.mark.parametrize("name", ["imhi", "c_imhi"])
def test_the_shipped_examples_are_rows_that_build_writes(name: str) -> None:
    train, validation = shipped(name, "train"), shipped(name, "validation")
    assert (len(train), len(validation)) == (48, 12)
    keys = [r["key"] for r in train + validation]
    assert len(set(keys)) == 60
    for split, rows in (("train", train), ("validation", validation)):
        for r in rows:
            assert exported.problems(r) == []
            assert list(r) == list(exported.FIELDS)
            assert (r["split"], r["licence"], r["teacher"]) == (split, "Apache-2.0", "invented")
            assert exported.messages_of(r) == r["messages"]


def test_the_english_ones_are_in_imhis_grammar() -> None:
    from mentalglm.sources.imhi import label_of

    names = {"imhi_dr": "DR", "imhi_dreaddit": "dreaddit", "imhi_sad": "SAD"}
    for r in shipped("imhi", "train") + shipped("imhi", "validation"):
        user, said = (m["content"] for m in r["messages"])
        assert user.startswith(f'Consider this post: "{r["text"]}" Question: ')
        head, _, reasons = said.partition(" Reasoning: ")
        assert label_of(names[r["task"]], head) == r["labels"][0]
        assert reasons == r["explanation"]


def test_the_chinese_ones_parse_and_keep_their_quotes() -> None:
    counts: dict[str, int] = {}
    for r in shipped("c_imhi", "train") + shipped("c_imhi", "validation"):
        read = answer.parse(tasks.load(r["task"]), r["messages"][1]["content"], r["text"])
        assert list(read.labels) == r["labels"]
        assert not read.dropped_quotes
        assert len(read.evidence) == len(r["evidence"])
        counts[r["task"]] = counts.get(r["task"], 0) + 1
    assert counts == {"suicide_risk": 24, "cognitive_distortion": 24, "cognitive_pathway": 12}


# --- splits


def test_validation_and_test_rows_are_never_trained_on(tmp_path: Path) -> None:
    rows = [row(f"甲{i}") for i in range(20)]
    held = [row("甲3", split="validation"), row("乙", split="validation")]
    part = dataset(tmp_path / "d", train=rows, validation=held, test=[row("丙", split="test")])
    other = dataset(tmp_path / "e", train=[row("乙"), row("丁")], validation=[row("戊", split="validation")])
    one, two = data.load(recipe(stage("a", part), stage("b", other)), None)
    assert {r.id for m in one.train for r in m.rows} == {f"甲{i}" for i in range(20)} - {"甲3"}
    assert [r.id for m in two.train for r in m.rows] == ["丁"]  # 乙 is in the other stage's validation
    assert [r.id for r in one.validation] == ["甲3", "乙"]
    assert one.counts["in_validation_elsewhere"] == 1
    assert not any(name.endswith("test.jsonl") for name in data.inputs(recipe(stage("a", part)), None))


def test_without_a_validation_part_one_is_cut_by_post(tmp_path: Path) -> None:
    rows = [row(f"甲{i // 2}", said=str(i)) for i in range(200)]
    part = dataset(tmp_path / "d", train=rows)
    (got,) = data.load(recipe(stage("a", part, validation=0.2)), None)
    train = {r.key for m in got.train for r in m.rows}
    held = {r.key for r in got.validation}
    assert not train & held
    assert len(train | held) == 100
    assert 8 <= len(held) <= 35
    (again,) = data.load(recipe(stage("a", part, validation=0.2)), None)
    assert again.validation == got.validation


def test_tasks_limits_and_replay() -> None:
    part = SourcePart(shipped="tiny/c_imhi", tasks=["suicide_risk"], limit=5, weight=2)
    one, two = data.load(recipe(stage("a"), stage("b", part, replay=0.5)), None)
    assert [(len(m.rows), m.weight) for m in two.train] == [(5, 2)]
    assert {r.task for r in two.train[0].rows} == {"suicide_risk"}
    assert two.replay == one.train
    assert one.replay == []
    (plain,) = data.load(recipe(stage("a")), None)
    assert plain.replay == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"messages": [{"role": "system", "content": ""}]}, "its roles are system"),
        ({"messages": 3}, "line 1"),
        ({"split": "test"}, "a row of the split test"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    part = dataset(tmp_path / "d", train=[row("甲") | change])
    with pytest.raises(UserError, match=said):
        data.load(recipe(stage("a", part)), None)


def test_a_dataset_that_is_not_there_says_how_it_is_made() -> None:
    with pytest.raises(MissingError, match=r"mentalglm build recipes/c_imhi\.toml"):
        data.inputs(recipe(stage("a", SourcePart(dataset="nowhere"))), None)
    with pytest.raises(UserError, match="gives no rows"):
        data.load(recipe(stage("a", SourcePart(shipped="tiny/imhi", tasks=["none"]))), None)


def test_published_imhi_is_asked_as_published() -> None:
    if not (SHARED / "imhi").is_dir():
        pytest.skip("the shared data are not here")
    got = recipe(stage("a", SourcePart(imhi=["DR", "SAD"], limit=50)))
    (one,) = data.load(got, SHARED)
    assert len(data.inputs(got, SHARED)) == 4
    rows = [r for m in one.train for r in m.rows]
    assert rows
    assert all(r.user.startswith('Consider this post: "') and '" Question: ' in r.user for r in rows)
    assert all("Reasoning:" in r.answer for r in rows)
    files = [SHARED / "imhi" / name / "train.jsonl" for name in ("DR", "SAD")]
    queries = {json.loads(line)["query"] for f in files for line in f.read_text(encoding="utf-8").splitlines()}
    assert sum(r.user in queries for r in rows) > 0.8 * len(rows)


# --- ablations


@pytest.mark.parametrize("task", tasks.NAMES)
def test_forms_change_both_turns(task: str) -> None:
    r = next(x for x in shipped("c_imhi", "train") if x["task"] == task)
    user, said = (m["content"] for m in r["messages"])
    assert forms.apply("reasons_first", task, user, said) == (user, said)
    made = {form: forms.apply(form, task, user, said) for form in ("label_only", "labels_first", "labels_twice")}
    read = {form: json.loads(a) for form, (_, a) in made.items()}
    assert "explanation" not in read["label_only"]
    assert next(iter(read["labels_first"])) == "labels"
    assert next(iter(read["labels_twice"])) == "first_labels"
    assert all(x["labels"] == r["labels"] for x in read.values())
    for form, (asked, _) in made.items():
        assert asked.endswith(f"\n帖子：{r['text']}")
        assert asked.startswith(user.split("用 JSON 回答")[0] + "用 JSON 回答：")
        assert ("evidence" in asked) == (form != "label_only")
        assert asked.count("labels") >= 1
        assert "。。" not in asked
    for form in ("labels_first", "labels_twice"):
        assert answer.parse(tasks.load(task), made[form][1], r["text"]).labels == tuple(r["labels"])


def test_forms_of_imhi() -> None:
    said = "Yes, the poster suffers from stress. Reasoning: A deadline."
    assert forms.apply("label_only", "imhi_dreaddit", "q", said) == ("q", "Yes, the poster suffers from stress.")
    assert forms.apply("labels_first", "imhi_dreaddit", "q", said) == ("q", said)
    assert forms.apply("labels_twice", "imhi_dreaddit", "q", said)[1].endswith(
        "deadline. Yes, the poster suffers from stress."
    )
    summary = ("u", '{"summary": {}}')
    assert forms.apply("label_only", "pathway_summary", *summary) == summary
