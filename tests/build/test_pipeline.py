"""`mentalglm build` from source files to a finished dataset: what holds of every row, equal bytes, kills, splits, and rows
that cannot be used. Without a server; the remote teacher is in test_build_cli."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from mentalglm import runs, tasks
from mentalglm.build import pipeline
from mentalglm.build.item import Item
from mentalglm.build.items import merge
from mentalglm.build.near import grams, jaccard
from mentalglm.build.recipe import LabelPart, SplitPart
from mentalglm.build.split import divide
from mentalglm.sources.labelled import Labelled
from mentalglm.tasks.answer import FURTHER, parse
from mentalglm.text import content_key
from tests.build import invented
from tests.build.invented import Row, accounted, call, contents, dropped, kept
from tests.command import environment
from tests.sources import published

QUOTED = re.compile(r"[“「『]([^“”「」『』]+)[”」』]")
NAMES = {label.zh for name in tasks.NAMES for label in tasks.load(name).labels}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invented.built(tmp_path_factory)[0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invented.built(tmp_path_factory)[1]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    invented.quick(monkeypatch)


def given(source: Path) -> list[Row]:
    return [row for path in sorted(source.rglob("*.jsonl")) for row in invented.read(path)]


# --- what a build writes


def test_the_files_of_the_contract_are_there_and_verify_finds_nothing(dataset: Path) -> None:
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl", "dropped.jsonl", "croissant.json", "manifest.json",
                 "README.md", "README.zh-CN.md", "leakage.json", "leakage.md", "quality.json", "quality.md",
                 "meta.json", "review/sample.jsonl", "llama_factory/dataset_info.json", "parquet/train.parquet",
                 "alpaca/train.json", "imhi/train.csv", "messages/train.jsonl"):  # fmt: skip
        assert (dataset / name).is_file(), name
    assert not list(dataset.rglob("*.tmp")) + list(dataset.rglob("*.spool"))
    done = call("verify", dataset)
    assert (done.code, done.out) == (0, f"{dataset}: everything is as its manifest says\n")


def test_nothing_is_lost_and_the_counts_are_those_of_the_files(source: Path, dataset: Path) -> None:
    assert accounted(dataset) == sorted(row["id"] for row in given(source))
    counts = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))["counts"]
    rows = kept(dataset)
    assert counts["rows"] == {s: sum(r["split"] == s for r in rows) for s in ("train", "validation", "test")}
    assert sum(counts["dropped"].values()) == len(dropped(dataset))
    assert min(counts["rows"].values()) > 0
    assert {r["task"] for r in rows} == {"suicide_risk", "cognitive_distortion"}
    err = invented.said_by_build()
    assert "60 labelled posts read; 0 rows cannot be used" in err
    assert f"{len(rows)} rows kept, {len(dropped(dataset))} dropped, 0 posts in two splits" in err


def test_every_quote_is_the_posts_own(dataset: Path) -> None:
    count = 0
    for row in kept(dataset):
        for e in row["evidence"]:
            assert e["quote"] == row["text"][e["start"] : e["end"]], row["id"]
            assert e["label"] in row["labels"]
            count += 1
        said = [q for q in QUOTED.findall(row["explanation"]) if q not in NAMES]
        assert said or row["level"] == 0, row["explanation"]
        for quote in said:
            assert quote in " ".join(row["text"].split()) or quote in row["text"], (row["id"], quote)
            count += 1
    assert count > len(kept(dataset))


def test_every_label_but_low_has_evidence_and_is_the_gold(source: Path, dataset: Path) -> None:
    gold = {r["id"]: r for r in given(source)}
    for row in kept(dataset):
        shown = {e["label"] for e in row["evidence"]}
        assert set(row["labels"]) - {"low"} <= shown, row["id"]
        first = gold[row["source_ids"][0]]
        if row["task"] == "cognitive_distortion":
            assert {invented.CHINESE[x] for x in row["labels"]} == set(first["labels"])
        elif first["id"].startswith("sos_hl_1k"):
            assert row["labels"] == [("low", "high")[first["label"]]]
        else:
            assert row["labels"] == ["high" if first["label"] >= 6 else "low"]
            assert row["level"] == first["label"]


def test_messages_parse_back_to_the_row(dataset: Path) -> None:
    for row in kept(dataset):
        user, assistant = row["messages"]
        assert row["text"] in user["content"]
        found = parse(tasks.load(row["task"]), assistant["content"], row["text"])
        assert list(found.labels) == row["labels"]
        assert found.explanation == row["explanation"]
        assert not found.dropped_quotes
        assert {q.quote for q in found.evidence} == {e["quote"] for e in row["evidence"]}
        if row["task"] == "suicide_risk":
            assert found.further == {k: row[k] for k in FURTHER}


def test_no_post_or_near_copy_of_it_stands_in_two_splits(dataset: Path) -> None:
    rows = kept(dataset)
    splits = defaultdict(set)
    for row in rows:
        assert row["key"] == content_key(row["text"])
        splits[row["key"]].add(row["split"])
    assert all(len(s) == 1 for s in splits.values())
    sets = [(r["split"], grams(r["text"])) for r in rows]
    assert not [1 for (s, a), (t, b) in combinations(sets, 2) if s != t and jaccard(a, b) >= 0.7]
    table = json.loads((dataset / "leakage.json").read_text(encoding="utf-8"))
    assert table["across_splits"] == 0
    shared = next(r for r in table["before"] if {r["a"], r["b"]} == {"sos_hl_1k:train", "sos_4k:train"})
    assert (shared["exact"], shared["conflicts"]) == (invented.SHARED, invented.DISAGREES)


def test_an_explanation_that_came_along_is_kept_where_its_quotes_are_the_posts(source: Path, dataset: Path) -> None:
    told = {r["id"]: r for part in ("train", "val") for r in invented.read(source / "sos_4k" / f"{part}.jsonl")}
    by = {x: row for row in kept(dataset) for x in row["source_ids"]}
    seen = Counter()
    for id_, given_ in told.items():
        row = by[id_]
        bad = "谁也没写过的话" in given_["explain"]
        expected = "offline" if bad or row["disagrees"] else "existing"
        assert row["teacher"] == expected, (id_, row["explanation"])
        assert (row["explanation"] == given_["explain"]) == (expected == "existing")
        seen[expected, bool(row["disagrees"])] += 1
    assert seen["existing", False] > 8
    assert seen["offline", True] == invented.DISAGREES
    bad = sum("谁也没写过的话" in r["explain"] and not by[r["id"]]["disagrees"] for r in told.values())
    asked = json.loads((dataset / "quality.json").read_text(encoding="utf-8"))["asked"]
    assert asked["existing"]["did_not_pass"]["quote_not_verbatim"] == bad > 3
    assert all("谁也没写过的话" not in row["explanation"] for row in by.values())


def test_a_level_on_the_other_side_is_left_out_and_said(dataset: Path) -> None:
    (row,) = [r for r in kept(dataset) if r["disagrees"]]
    assert (row["level"], row["expression"], row["label_from"]) == (None, None, "sos_hl_1k")
    assert row["sources"] == ["sos_hl_1k", "sos_4k"]


# --- equal bytes


def test_equal_files_elsewhere_give_equal_bytes(source: Path, dataset: Path, tmp_path: Path) -> None:
    other = invented.copy(source, tmp_path / "an other place")
    done = call("build", invented.recipe(tmp_path / "r.toml"), "--from", other, "--out", tmp_path / "out")
    assert done.code == 0, done
    assert contents(tmp_path / "out") == contents(dataset)
    assert str(source).encode() not in b"".join(contents(tmp_path / "out").values())


KILLS = (
    "mentalglm.build.teach.local:Offline._taught",  # in the midst of the answers
    "mentalglm.build.export.files:Splits.close",  # rows lie in spools
    "mentalglm.build.export.files:csv_table",  # some styles are there
    "mentalglm.runs:write_manifest",  # all but the manifest
)
DRIVER = """\
import importlib, os, signal, sys
import matplotlib.pyplot, onnxruntime, pyarrow.parquet, datasketch
from mentalglm.cli import main
import mentalglm.build.pipeline
for at in sys.argv[1].split():
    child = os.fork()
    if not child:
        module, _, names = at.partition(":")
        *owners, name = names.split(".")
        owner = importlib.import_module(module)
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, name, lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
        main(sys.argv[2:])
    print(os.waitpid(child, 0)[1], flush=True)
main(sys.argv[2:])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_build_that_was_killed_again_and_again_ends_in_the_same_bytes(tmp_path: Path) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=6, checked=2, distorted=3)
    calm = call("build", invented.recipe(tmp_path / "r.toml"), "--from", source, "--out", tmp_path / "calm")
    assert calm.code == 0, calm
    argv = ["build", tmp_path / "r.toml", "--from", source, "--out", tmp_path / "out"]
    command = [sys.executable, "-c", DRIVER, " ".join(KILLS), *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    assert done.stdout.split() == [str(int(signal.SIGKILL))] * len(KILLS), done.stderr[-3000:]
    assert done.returncode == 0, done.stderr[-3000:]
    assert contents(tmp_path / "out") == contents(tmp_path / "calm")
    assert runs.verify(tmp_path / "out") == []


def test_what_a_killed_build_left_lying_is_no_part_of_the_next(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=4, checked=1, distorted=2)
    recipe = invented.recipe(tmp_path / "r.toml")
    assert call("build", recipe, "--from", source, "--out", tmp_path / "calm").code == 0

    def killed(*given: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_build", killed)
        with pytest.raises(RuntimeError):
            call("build", recipe, "--from", source, "--out", tmp_path / "out")
    for name in ("train.jsonl", "train.jsonl.spool", "test.jsonl.tmp", "dropped.jsonl.tmp", "parquet/train.parquet",
                 "review/sample.jsonl", "quality.json"):  # fmt: skip
        published.write(tmp_path / "out" / name, '{"id": "left"}\n' * 200 + '{"half": ')
    assert call("build", recipe, "--from", source, "--out", tmp_path / "out").code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "calm")


# --- splits


def with_test_part(source: Path, posts: list[tuple[str, int]]) -> Path:
    """A published test file of SOS-HL-1K beside the tidy training part."""
    published.write(source / "data" / "suicide" / "suicide_val_LLM.csv", published.llm(posts))
    return source


@pytest.mark.parametrize("kind", ["clean", "published"])
def test_a_published_test_part_stays_and_what_is_like_it_leaves_training(
    tmp_path: Path, quick: None, kind: str
) -> None:
    source = invented.folder(tmp_path / "source", risk=8, levels=8, checked=3, distorted=4)
    train = invented.read(source / "sos_hl_1k" / "train.jsonl")
    four = invented.read(source / "sos_4k" / "train.jsonl")
    same, near = train[6], next(r for r in four[invented.SHARED :] if len(grams(r["text"])) > 12)
    fresh = "窗外的广告牌换了三次，我还在等一个不会来的电话"
    with_test_part(source, [(same["text"] + "。", same["label"]), (near["text"] + "啊", 1), (fresh, 0)])
    text = invented.OFFLINE + f'[split]\nkind = "{kind}"\n'
    done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", source, "--out", tmp_path / "out")
    assert done.code == 0, done
    assert len(accounted(tmp_path / "out")) == len(given(source)) + 3
    by = {x: row for row in kept(tmp_path / "out") for x in row["source_ids"]}
    tests = [f"sos_hl_1k-test-{n:04d}" for n in (1, 2, 3)]
    assert [by[x]["split"] for x in tests] == ["test"] * 3
    gone = {x: r["reason"] for r in dropped(tmp_path / "out") for x in r["source_ids"]}
    assert by[same["id"]] is by[tests[0]]  # one post, one row: the test part binds
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["counts"]
    if kind == "published":
        assert gone == {}
        assert by[near["id"]]["split"] == "train"
        assert counts["across_splits"] == 1
        assert "1 posts in two splits" in done.err
        assert "1 posts stand, exactly or nearly, in two splits" in (tmp_path / "out" / "README.md").read_text()
        assert {r["split"] for r in by.values()} == {"train", "validation", "test"}
    else:
        assert counts["across_splits"] == 0
        assert by[near["id"]]["split"] == "test"  # of a set whose own test part is not here
        assert "sos_hl_1k" not in {s for s, parts in counts["cut_by_us"].items() if "test" in parts}


def test_a_training_row_near_its_own_sets_test_part_is_dropped_and_named(tmp_path: Path, quick: None) -> None:
    source = invented.folder(tmp_path / "source", risk=8, levels=8, checked=3, distorted=4)
    train = invented.read(source / "sos_hl_1k" / "train.jsonl")
    near = max(train[invented.SHARED :], key=lambda r: len(r["text"]))
    with_test_part(source, [(near["text"] + "啊", near["label"]), ("窗外的广告牌换了三次，电话还是没有来", 0)])
    done = call("build", invented.recipe(tmp_path / "r.toml"), "--from", source, "--out", tmp_path / "out")
    assert done.code == 0, done
    gone = {r["reason"]: r["source_ids"] for r in dropped(tmp_path / "out")}
    assert gone == {"overlaps_test": [near["id"]]}
    assert len(accounted(tmp_path / "out")) == len(given(source)) + 2


def item(n: int, parts: tuple[tuple[str, str], ...]) -> Item:
    words = "".join(f"{'甲乙丙丁戊己庚辛'[(n * k) % 8]}{n * 37 + k * 11}" for k in range(1, 9))
    key = content_key(words)
    return Item(f"{key}-suicide_risk", key, "suicide_risk", words, ("low",), "a", sources=(f"a-{n}",), parts=parts)


def test_no_test_part_is_cut_out_of_posts_that_could_then_only_be_dropped() -> None:
    """Set a has no test part, set b has one: what both have in training is not a's to cut."""
    both = [item(n, (("a", "train"), ("b", "train"))) for n in range(60)]
    only = [item(n, (("a", "train"),)) for n in range(60, 120)]
    tests = [item(n, (("b", "test"),)) for n in range(120, 130)]
    divided = divide([*both, *only, *tests], SplitPart())
    assert divided.cut == {"a": ["test", "validation"], "b": ["validation"]}
    assert divided.dropped == []
    of = {i.sources[0]: i.split for i in divided.items}
    assert {of[i.sources[0]] for i in both} <= {"train", "validation"}
    assert sum(of[i.sources[0]] == "test" for i in only) == 12


# --- rows that cannot be used


def test_bad_rows_are_named_counted_and_nothing_is_lost(tmp_path: Path, quick: None) -> None:
    source = invented.folder(tmp_path / "source", risk=10, levels=8, checked=3, distorted=4)
    path = source / "sos_hl_1k" / "train.jsonl"
    good = invented.read(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    more = [
        {"id": "merged", "text": "昨晚又没睡\n12\t1\t楼下有人唱歌", "label": 0},
        {"id": "seven", "text": "这条的标签没人认识", "label": 7},
        {"id": "twice-a", "text": "同一句话，两个人标得不一样", "label": 0},
        {"id": "twice-b", "text": "同一句话 两个人标得不一样。", "label": 1},
        {"id": "blank", "text": " \n", "label": 0},
        {"id": "half", "text": "半个字符\ud83d在这里，我撑不下去了", "label": 0},
    ]
    lines += [json.dumps(r) for r in more]
    cut = json.dumps({"id": "cut", "text": "这一行没有写完", "label": 0}, ensure_ascii=False)[:-20]
    path.write_text("\n".join([*lines, cut]), encoding="utf-8")
    names = source / "socialcd_3k" / "train.jsonl"
    names.write_text(
        names.read_text("utf-8") + json.dumps({"id": "u", "text": "没见过的标签", "labels": ["爱抱怨"]}) + "\n"
    )
    text = invented.OFFLINE.replace("per_task = 10", "per_task = 1000")  # every row may go to the experts
    done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", source, "--out", tmp_path / "out")
    assert done.code == 0, done
    assert "5 rows cannot be used" in done.err
    gone = {tuple(r["source_ids"]): (r["reason"], r["detail"]) for r in dropped(tmp_path / "out")}
    at = "sos_hl_1k/train.jsonl, line"
    n = len(good)
    assert gone[f"sos_hl_1k-train-line{n + 1}",][1].startswith(
        f"merged_rows: {at} {n + 1}: its text holds further rows"
    )
    assert gone[f"sos_hl_1k-train-line{n + 2}",][1].startswith(f"unknown_label: {at} {n + 2}: the label is '7'")
    assert gone["twice-a", "twice-b"] == ("conflicting_labels", "high / low")
    assert gone[f"sos_hl_1k-train-line{n + 5}",][1].startswith(f"empty_text: {at} {n + 5}:")
    assert gone[f"sos_hl_1k-train-line{n + 7}",][1].startswith(
        f"truncated: {at} {n + 7}: the file ends within this row"
    )
    assert "爱抱怨" in gone["socialcd_3k-train-line5",][1]
    assert gone["half",][0] == "export"
    assert len(gone) == 7
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["counts"]
    assert counts["dropped"] == {"conflicting_labels": 1, "export": 1, "unreadable": 5}
    every = len(good) + 8 + 3 + 4 + len(more) + 2
    assert len(accounted(tmp_path / "out")) == len(set(accounted(tmp_path / "out"))) == every
    assert runs.verify(tmp_path / "out") == []
    assert all("half" not in r["source_ids"] for r in kept(tmp_path / "out"))
    asked = invented.read(tmp_path / "out" / "review" / "sample.jsonl")
    assert {r["key"] for r in asked} <= {r["key"] for r in kept(tmp_path / "out")}


def test_a_line_end_of_unicode_inside_a_post_ends_no_row(tmp_path: Path, quick: None) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=4, checked=1, distorted=2)
    path = source / "sos_hl_1k" / "train.jsonl"
    odd = {"id": "odd", "text": "车站的灯灭了\u2028我一个人坐着\x85不想回去", "label": 0}
    path.write_text(path.read_text("utf-8") + json.dumps(odd) + "\n", encoding="utf-8")
    done = call("build", invented.recipe(tmp_path / "r.toml"), "--from", source, "--out", tmp_path / "out")
    assert done.code == 0, done
    (row,) = [r for r in kept(tmp_path / "out") if r["source_ids"] == ["odd"]]
    assert row["text"] == odd["text"]
    for name in ("train.jsonl", "review/sample.jsonl"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert all(json.loads(line) for line in text.splitlines())


def test_an_item_that_no_teacher_takes_is_dropped_and_said(tmp_path: Path, quick: None) -> None:
    source = invented.folder(tmp_path / "source", risk=6, levels=8, checked=3, distorted=4)
    text = invented.OFFLINE.replace('["existing", "offline"]', '["existing"]')
    done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", source, "--out", tmp_path / "out")
    assert done.code == 0, done
    assert accounted(tmp_path / "out") == sorted(r["id"] for r in given(source))
    reasons = Counter(r["reason"] for r in dropped(tmp_path / "out"))
    assert reasons["no_teacher"] == 7  # four distortions, two posts without an explanation, one of another level
    assert {r["teacher"] for r in kept(tmp_path / "out")} == {"existing"}


@pytest.mark.parametrize("quality", ["", "[quality]\nmax_shared_skeletons = 1.0\n"])
def test_of_explanations_that_are_one_form_filled_in_one_stays(tmp_path: Path, quick: None, quality: str) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=8, checked=3, distorted=2)
    path = source / "sos_4k" / "train.jsonl"
    rows = invented.read(path)
    for row in rows:
        row["explain"] = invented.explain(row["text"], 0)
    invented.write(path, rows)
    text = invented.OFFLINE + quality
    done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", source, "--out", tmp_path / "out")
    assert done.code == 0, done
    existing = [r for r in kept(tmp_path / "out") if r["teacher"] == "existing"]
    gone = [r for r in dropped(tmp_path / "out") if r["reason"] == "skeleton_shared"]
    assert accounted(tmp_path / "out") == sorted(r["id"] for r in given(source))
    same = {"existing": len(existing), "gone": len(gone)}
    assert same == ({"existing": 9, "gone": 0} if quality else {"existing": 3, "gone": 6})


def test_sources_that_give_nothing_for_the_tasks_are_no_dataset(tmp_path: Path, quick: None) -> None:
    source = invented.folder(tmp_path / "source", risk=4, levels=4, checked=1, distorted=2)
    text = invented.OFFLINE.replace('["suicide_risk", "cognitive_distortion"]', '["cognitive_pathway"]')
    done = call("build", invented.recipe(tmp_path / "r.toml", text), "--from", source, "--out", tmp_path / "out")
    assert done.code == 2
    assert "the sources give no post for cognitive_pathway" in done.err
    assert not (tmp_path / "out" / "manifest.json").exists()


# --- the English sets


def test_several_questions_about_one_post_stay_several_instructions(tmp_path: Path, quick: None) -> None:
    posts = (
        "I walk to the river every evening.",
        "The exam went badly and my room is cold.",
        "My sister called today.",
    )
    asks = ("Does it show spiritual wellness?", "Does it show physical wellness?")
    reasons = (
        "The walk is told as a habit, and nobody is said to come along.",
        "Nothing here is about the body, only about a path and the water.",
        "A failed exam and a cold room are told in one breath.",
        "The cold is of the room, and the poster's body is not spoken of.",
        "Someone called, and the day is told as a good one.",
        "A call from family is all that is told of the day.",
    )
    rows = [
        {
            "id": f"m{n}{k}",
            "query": f'Consider this post: "{post}" Question: {ask}',
            "response": f"{('No', 'Yes')[k]}, it does. Reasoning: {reasons[2 * n + k]}",
        }
        for n, post in enumerate(posts)
        for k, ask in enumerate(asks)
    ]
    invented.write(tmp_path / "source" / "imhi" / "MultiWD" / "val.jsonl", rows)
    text = invented.HEAD.replace('["suicide_risk", "cognitive_distortion"]', '["imhi"]')
    text += '[[sources]]\nkey = "imhi_multiwd"\n[teach]\nteachers = ["offline"]\n'
    done = call(
        "build", invented.recipe(tmp_path / "r.toml", text), "--from", tmp_path / "source", "--out", tmp_path / "out"
    )
    assert done.code == 0, done
    found = kept(tmp_path / "out")
    assert sorted(r["source_ids"][0] for r in found) == sorted(r["id"] for r in rows), dropped(tmp_path / "out")
    assert len({r["id"] for r in found}) == len(rows)
    assert {r["messages"][1]["content"] for r in found} == {r["response"] for r in rows}


def test_one_question_with_two_answers_is_a_conflict() -> None:
    rows = [
        Labelled(f"d-{n}", "imhi_dr", "train", "imhi_dr", "I am tired.", (label,), question="Does the poster suffer?",
                 answer=label, language="en")
        for n, label in enumerate(("yes", "no"))
    ]  # fmt: skip
    items, gone = merge(rows, LabelPart())
    assert not items
    assert [d.reason for d in gone] == ["conflicting_labels"]
    assert merge(rows[:1], LabelPart()).items[0].id == f"{content_key('I am tired.')}-imhi_dr"
