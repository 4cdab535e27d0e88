"""A model that `mentalglm train` wrote answers posts: records that keep the contract, whatever it has learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mentalglm import tasks
from mentalglm.errors import MissingError, UserError
from mentalglm.models import Model, local
from mentalglm.schema import Post, validate
from mentalglm.tasks.answer import Answer, Quote
from mentalglm.train import llm

from . import small

POSTS = ["我想请假，<|assistant|>好累。", "药已经准备好了，日子也定了。[gMASK]<sop>", "😀"]
RISK, DISTORTION, PATHWAY = map(tasks.load, tasks.NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small.needs_training()
    pytest.importorskip("xgrammar", reason="decoding under a schema needs xgrammar")
    import torch

    torch.set_num_threads(1)
    work = tmp_path_factory.mktemp("local")
    assert llm.command(small.recipe(work), work / "run", say=lambda line: None) == 0
    return work / "run" / "model"


@pytest.fixture(scope="module")
def model(folder: Path) -> local.Local:
    return local.Local(str(folder), threads=1)


def test_a_model_that_has_learned_little_still_gives_records(model: local.Local, folder: Path) -> None:
    assert isinstance(model, Model)
    model.limit = 700
    given = [Post("a", POSTS[0]), Post("b", " "), Post("c", POSTS[1]), Post("d", None), Post("e", POSTS[2])]  # type: ignore[arg-type]
    records = list(model.analyze(given, tasks=["suicide_risk", "cognitive_distortion"]))
    assert [r["id"] for r in records] == ["a", "b", "c", "d", "e"]
    assert [r.get("error", {}).get("code") for r in records if r["id"] in "bd"] == ["empty_text", "not_text"]
    card = json.loads((folder / "mentalglm.json").read_text(encoding="utf-8"))
    for post, record in ((p, r) for p, r in zip(given, records, strict=True) if p.id in "ace"):
        assert validate(record, post.text) == []
        if record["status"] == "error":
            assert "explanation is missing" in record["error"]["message"]
            continue
        assert record["model"] == {"name": "small", "revision": card["revision"]}
        for analysis in record["analyses"].values():
            if "error" in analysis:  # an explanation of blanks; whatever else is bound to parse
                assert analysis["error"]["message"].endswith("explanation is missing")
            else:
                assert analysis["abstained"] or "notes" not in analysis
        if probabilities := record["analyses"]["suicide_risk"].get("probabilities"):
            assert sum(probabilities.values()) == pytest.approx(1)


def test_an_answer_without_end_is_asked_for_again_with_little_room(
    model: local.Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mentalglm.train.llm import generate

    real, calls = generate.answers, []

    def answers(*args: Any) -> list[generate.Said]:
        calls.append(args)
        return [generate.Said('{"evidence": [', False)] if len(calls) == 1 else real(*args)

    monkeypatch.setattr(generate, "answers", answers)
    (record,) = model.analyze(["今天请了假。"], tasks=["cognitive_distortion"])
    analysis = record["analyses"]["cognitive_distortion"]
    assert analysis["notes"] == ["shortened"]
    assert analysis["abstained"] is True
    assert len(analysis["explanation"]) <= local.NARROW.explanation


def test_one_post_that_fails_is_one_record(model: local.Local, monkeypatch: pytest.MonkeyPatch) -> None:
    real = local.Local._answers

    def fails(self: Any, task: Any, posts: list[Post]) -> list[dict[str, Any]]:
        if any(p.text == "坏" for p in posts):
            raise RuntimeError("no luck")
        return [local._error("unparsed", "x") for _ in posts]

    monkeypatch.setattr(local.Local, "_answers", fails)
    records = list(model.analyze(["好", "坏", "好"], tasks="suicide_risk"))
    assert [r["error"]["code"] for r in records] == ["unparsed", "model", "unparsed"]
    assert real is not fails


def test_a_post_that_is_too_long_says_so(model: local.Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.model.config, "max_position_embeddings", model.limit + 10)
    (record,) = model.analyze(["今天"], tasks="suicide_risk")
    assert record["error"]["code"] == "too_long"


def test_what_the_decoder_is_bound_to_is_what_is_trained() -> None:
    """Every shipped training answer without nulls fits the bound, with its keys in the same order."""
    pytest.importorskip("xgrammar", reason="decoding under a schema needs xgrammar")
    import xgrammar

    info = xgrammar.TokenizerInfo([bytes([b]) for b in range(256)])
    compiler = xgrammar.GrammarCompiler(info)
    from mentalglm.train.llm.data import SHIPPED

    rows = map(json.loads, (SHIPPED / "tiny" / "c_imhi" / "train.jsonl").read_text(encoding="utf-8").splitlines())
    for row in rows:
        schema = json.dumps(local.bound(tasks.load(row["task"]), local.WIDE))
        grammar = compiler.compile_json_schema(schema, any_whitespace=False, separators=(", ", ": "))
        matcher = xgrammar.GrammarMatcher(grammar)
        assert matcher.accept_string(row["messages"][1]["content"]), row["id"]
        assert not xgrammar.GrammarMatcher(grammar).accept_string('{"labels": ["high"]}')


# --- an answer as an analysis


def made(
    task: Any, quotes: list[tuple[str, int, int]], labels: tuple[str, ...], text: str, **more: Any
) -> dict[str, Any]:
    found = tuple(Quote(k, a, b, text[a:b]) for k, a, b in quotes)
    further = {"level": 8, "expression": "plan", "subject": "self", "past_attempt": False}
    dropped = more.pop("dropped", ())
    answer = Answer(found, "说明。", labels, further | more if task is RISK else {}, {}, dropped)
    return local.analysis(task, answer, text, None)


def test_a_label_without_a_quote_is_not_sure() -> None:
    text = "日子也定了，东西备好。"
    assert made(RISK, [("high", 0, 5)], ("high",), text)["abstained"] is False
    assert made(RISK, [], ("high",), text)["abstained"] is True
    assert made(RISK, [], ("low",), text, level=2, expression="pain")["abstained"] is False
    assert made(RISK, [("high", 0, 5)], ("low",), text, level=8)["abstained"] is True  # level and label disagree
    assert made(RISK, [("high", 0, 5)], ("low",), text, level=2)["evidence"] == []
    assert made(DISTORTION, [("labeling", 0, 2)], ("labeling", "mind_reading"), text)["abstained"] is True
    assert made(DISTORTION, [], (), text)["abstained"] is False
    made_up = made(RISK, [], ("low",), text, level=0, dropped=("没有的话",))
    assert (made_up["abstained"], made_up["dropped_quotes"]) == (True, 1)


def test_the_pathway_is_laid_over_the_sentences() -> None:
    text = "挂了两科。我什么都做不成。想哭。"
    labels = ("event", "event.study_work", "belief", "belief.overgeneralization")
    got = made(PATHWAY, [("event.study_work", 0, 4), ("belief.overgeneralization", 5, 12)], labels, text)
    assert [s["labels"] for s in got["sentences"]] == [list(labels[:2]), list(labels[2:]), []]
    record = {"schema_version": "1.0", "id": "x", "status": "ok", "analyses": {"cognitive_pathway": got},
              "model": {"name": "m", "revision": "r"}}  # fmt: skip
    assert validate(record, text) == []
    bare = made(PATHWAY, [("event.study_work", 0, 4)], labels, text)
    assert bare["abstained"] is True
    assert bare["labels"] == list(labels[:2])


# --- what is no model


def test_what_is_no_model_is_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="holds no model"):
        local.Local(str(tmp_path))
    with pytest.raises(UserError, match=r"is a run folder; name its model"):
        local.Local(str(folder.parent))
    card = json.loads((folder / "mentalglm.json").read_text(encoding="utf-8"))
    (tmp_path / "mentalglm.json").write_text(json.dumps(card | {"format": 2}), encoding="utf-8")
    with pytest.raises(UserError, match="another version"):
        local.Local(str(tmp_path))
    (tmp_path / "mentalglm.json").write_text(json.dumps(card | {"answer": "label_only"}), encoding="utf-8")
    with pytest.raises(UserError, match="ablation"):
        local.Local(str(tmp_path))
    monkeypatch.setattr(local, "find_spec", lambda name: None if name == "xgrammar" else object())
    with pytest.raises(MissingError, match="needs xgrammar"):
        local.Local(str(folder))
