"""The codebook and the example bank: complete, verbatim, and in both languages alike."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from mentalglm import guideline, tasks
from mentalglm.build.teach import bank
from mentalglm.errors import UserError


@pytest.mark.parametrize("task", tasks.NAMES)
def test_every_label_has_a_section_in_both_languages(task: str) -> None:
    zh, en = guideline.load(task, "zh"), guideline.load(task, "en")
    assert [s.key for s in zh.sections] == [s.key for s in en.sections]
    assert set(tasks.load(task).keys) <= {s.key for s in zh.sections}
    assert zh.version == en.version == tasks.load(task).version
    for book in (zh, en):
        assert len(book.general) >= 6
        for s in book.sections:
            assert s.definition
            assert s.include
            assert s.exclude
            assert s.precedence, s.key
            assert len(s.pairs) >= 3, s.key


@pytest.mark.parametrize("task", tasks.NAMES)
def test_no_border_post_stands_twice(task: str) -> None:
    posts = Counter(t for s in guideline.load(task).sections for p in s.pairs for t in (p.yes, p.no))
    assert [t for t, n in posts.items() if n > 1] == []


@pytest.mark.parametrize("task", tasks.NAMES)
def test_five_examples_a_label_and_every_quote_verbatim(task: str) -> None:
    every = bank.examples(task)  # reads and checks each one
    count = Counter(label for e in every for label in e["answer"]["labels"])
    assert all(count[label] >= 5 for label in tasks.load(task).keys), count
    assert all("project" in e["author"] for e in every)
    for e in every:
        assert list(e["answer"])[:3] == ["evidence", "explanation", "labels"]


def test_chosen_examples_differ_in_their_labels_and_stay_the_same() -> None:
    chosen = bank.chosen("suicide_risk", 5)
    assert {e["answer"]["expression"] for e in chosen} == {"none", "pain", "wish", "plan", "imminent"}
    assert chosen == bank.chosen("suicide_risk", 5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1"),
        ('{"text": "a"}', "line 1"),
        ('{"text": "雨停了", "answer": {"evidence": [{"label": "high", "quote": "雪"}], "explanation": "x", '
         '"labels": ["high"]}}', "verbatim"),
        ('{"text": "雨停了", "answer": {"evidence": [], "explanation": "x", "labels": ["sure"]}}', "unknown label"),
    ],
)  # fmt: skip
def test_a_wrong_example_of_an_experts_bank_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "suicide_risk.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=said):
        bank.examples("suicide_risk", tmp_path)
    with pytest.raises(UserError, match="no example bank"):
        bank.examples("cognitive_pathway", tmp_path)


def test_the_prompt_form_has_every_label() -> None:
    shown = guideline.for_prompt("suicide_risk")
    assert all(f"【{s.key}】" in shown for s in guideline.load("suicide_risk").sections)
    assert json.dumps(shown)
