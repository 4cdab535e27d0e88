"""The publish-safe variant: nothing of a post is left, and whoever holds the posts gets every byte back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mentalglm import runs
from mentalglm.build.export import SPLITS, export, fields, messages_of
from mentalglm.errors import UserError
from mentalglm.publish import Restored, restore, strip
from mentalglm.publish import row as rows
from mentalglm.publish.references import RUN, Post, decode, encode, leaks, literals
from mentalglm.publish.restore import gather
from tests.build.exported import META, TASKS, many, row

DROPPED = [
    {"id": "x", "key": "k", "task": "suicide_risk", "reason": "quote", "detail": "“点名”", "text": "今天又被点名"}
]
POSTS = {r["key"]: r["text"] for r in many()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "c"
    export(many(), DROPPED, path, META)
    return path


@pytest.fixture(scope="module")
def stripped(folder: Path) -> Path:
    out = folder.parent / "stripped"
    strip(folder, out)
    return out


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").split("\n") if text]


def every_string(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [s for v in value.values() for s in every_string(v)]
    return [s for v in value for s in every_string(v)] if isinstance(value, list) else []


def runs_of(post: str, text: str, length: int = RUN) -> bool:
    """Slow and plain: whether `length` characters of the post in a row stand in `text`."""
    return any(text[i : i + length] in post for i in range(len(text) - length + 1))


# --- references

PIECES = st.text(alphabet=st.sampled_from("我他好累不想说了⟦⟧:0123“”\"'「」\n a𝒳é́😀"), max_size=14)


@st.composite
def posts_with_words(draw: st.DrawFn) -> tuple[str, str]:
    """A post, and a text about it made of passages of it, with and without quotation marks, and of other words."""
    post = draw(st.one_of(st.text(min_size=1, max_size=40), PIECES.filter(bool)))
    out = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(post)))
        passage = post[start : draw(st.integers(start, len(post)))]
        out.append(draw(st.sampled_from(["{}", "“{}”", "「{}」", '"{}"', "⟦{}⟧"])).replace("{}", passage))
        out.append(draw(PIECES))
    return post, "".join(out)


@given(posts_with_words())
@example(("⟦0:1⟧", "⟦0:1⟧"))
@example(("aaaaaaaaaa", "aaaaaaaaaaaaaaaaaaa“aa”aaaaaa"))
@example(("我", "“我”说我"))
@example(("abcdef", "⟦abcdef⟦⟦⟧"))
def test_what_is_coded_comes_back_and_tells_nothing(words: tuple[str, str]) -> None:
    post, text = words
    known = Post(post)
    coded = encode(text, known)
    assert decode(coded, post) == text
    assert not leaks(coded, known)
    assert not any(runs_of(post, part, known.run) for part in literals(coded))


def test_a_quoted_passage_goes_however_short_and_another_from_six_characters() -> None:
    post = Post("今天组会又被点名，什么都做不好")
    assert encode("“点名”是事件", post) == "“⟦6:8⟧”是事件"
    assert encode("“老板”没有出现，作者说又被点名", post) == "“老板”没有出现，作者说又被点名"
    assert encode("他写道组会又被点名，就这样", post) == "他写道⟦2:9⟧就这样"


def test_a_post_shorter_than_that_goes_as_a_whole() -> None:
    assert encode("他只写了不想说，没有别的", Post("不想说")) == "他只写了⟦0:3⟧，没有别的"


@pytest.mark.parametrize("text", ["今天组会又被点名", "前面今天组会又被点名后面", "x⟦3:4⟧今天组会又被"])
def test_a_leak_is_seen(text: str) -> None:
    assert leaks(text, Post("今天组会又被点名，什么都做不好"))


@pytest.mark.parametrize("coded", ["⟦3:99⟧", "⟦4:4⟧", "⟦5:4⟧"])
def test_a_reference_outside_the_post_is_an_error(coded: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        decode(coded, "今天组会又被点名")


# --- rows


@st.composite
def finished(draw: st.DrawFn) -> dict[str, Any]:
    """A row on any post, with an explanation, a remark and a summary that quote it."""
    post, explanation = draw(posts_with_words())
    start = draw(st.integers(0, len(post) - 1))
    end = draw(st.integers(start + 1, len(post)))
    said = draw(st.lists(st.text(max_size=9) | st.just(post) | st.none(), min_size=4, max_size=4))
    summary = dict(zip(("event", "belief", "consequence", "disputation"), said, strict=True))
    task = draw(st.sampled_from(["cognitive_distortion", "suicide_risk", "cognitive_pathway", "pathway_summary"]))
    label = {"cognitive_distortion": "labeling", "suicide_risk": "high"}.get(task, "event.life")
    r = row(
        task=task,
        text=post,
        labels=[label],
        evidence=[{"label": label, "start": start, "end": end, "quote": post[start:end]}],
        sentences=[],
        summary=summary if task in ("cognitive_pathway", "pathway_summary") else None,
        explanation=explanation,
        disagrees=draw(st.sampled_from(["", post, "另一来源：low"])),
    )
    if draw(st.booleans()):  # turns that do not follow from the row: as if an older prompt had made them
        r["messages"] = [{"role": "user", "content": f"旧提示：{post}"}, {"role": "assistant", "content": explanation}]
    return r


@given(finished())
def test_any_row_comes_back_and_its_variant_tells_nothing(r: dict[str, Any]) -> None:
    out = rows.strip(r)
    assert fields.problems(out, rows.STRIPPED) == []
    assert rows.restore(out, r["text"]) == r
    assert rows.leak(out, r["text"]) == ""
    plain = json.loads(json.dumps(out, ensure_ascii=False).encode("utf-8"))
    assert rows.restore(plain, r["text"]) == r


@pytest.mark.parametrize("task", TASKS)
def test_no_six_characters_of_the_post_are_left(task: str) -> None:
    r = row(task=task, disagrees=f"另一来源说：{POSTS['key00000']}")
    out = rows.strip(r)
    assert rows.restore(out, r["text"]) == r
    assert not [s for s in every_string(out) if runs_of(r["text"], s)]


@pytest.mark.parametrize("name", ["explanation", "disagrees", "summary", "messages"])
def test_a_leak_in_a_row_is_seen_and_stops_the_writing(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    r = row(task="cognitive_pathway")
    out = rows.strip(r)
    said = {"summary": r["summary"] | {"event": r["text"]}, "messages": r["messages"]}.get(name, r["text"])
    assert rows.leak(out | {name: said}, r["text"]) == name
    whole = rows.strip
    monkeypatch.setattr(rows, "strip", lambda r, turns=False: whole(r, turns) | {"explanation": r["text"]})
    with pytest.raises(AssertionError, match="explanation"):
        strip(folder, tmp_path / "out")


def test_turns_that_follow_from_the_row_are_not_kept() -> None:
    assert rows.strip(row())["messages"] is None
    kept = rows.strip(row(task="imhi_dreaddit"))["messages"]
    assert kept[0]["content"].startswith("Consider this post: ")
    assert "failed" not in kept[0]["content"]


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="not the post"):
        rows.restore(rows.strip(row()), row()["text"] + " ")


def test_the_turns_of_a_row_are_made_from_its_other_fields() -> None:
    r = row(task="suicide_risk")
    bare = {k: v for k, v in r.items() if k != "messages"}
    assert messages_of(bare) == r["messages"]


# --- folders


def test_nothing_of_the_posts_is_in_the_folder(stripped: Path) -> None:
    for path in stripped.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            assert "废物" not in text
            assert "组会又被点名" not in text
            assert "failed again" not in text


def test_the_variant_is_a_dataset_of_its_own(stripped: Path) -> None:
    assert runs.verify(stripped) == []
    assert (stripped / "parquet" / "train.parquet").exists()
    assert "**No post is in these files.**" in (stripped / "README.md").read_text(encoding="utf-8")
    assert "这些文件里没有任何帖子" in (stripped / "README.zh-CN.md").read_text(encoding="utf-8")
    assert not (stripped / "alpaca").exists()
    assert lines(stripped / "dropped.jsonl") == [{"id": "x", "key": "k", "task": "suicide_risk", "reason": "quote"}]
    manifest = json.loads((stripped / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["rows"] == {"train": 20, "validation": 10, "test": 10}


def test_other_readers_take_the_variant(stripped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlc = pytest.importorskip("mlcroissant")
    dataset = mlc.Dataset(jsonld=str(stripped / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert len(list(dataset.records("test"))) == 10
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(str(stripped), cache_dir=str(tmp_path))
    assert loaded["train"].to_list() == lines(stripped / "train.jsonl")


def test_every_file_comes_back(folder: Path, stripped: Path, tmp_path: Path) -> None:
    result = restore(stripped, POSTS, tmp_path / "out")
    assert (result.missing, result.other_text) == (0, 0)
    assert runs.verify(tmp_path / "out") == []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and str(name) != "dropped.jsonl":
            assert (tmp_path / "out" / name).read_bytes() == path.read_bytes(), name


def test_posts_come_in_any_order_with_others_among_them(folder: Path, stripped: Path, tmp_path: Path) -> None:
    pairs = [
        ("other", "别的帖子"),
        ("other", "\ud800"),
        ("key00000", "\ud800"),
        ("key00000", "另一种写法"),
        *reversed(POSTS.items()),
    ]
    assert restore(stripped, iter(pairs), tmp_path / "out").missing == 0
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == (folder / "train.jsonl").read_bytes()


def test_only_the_posts_asked_for_are_held(stripped: Path) -> None:
    paths = {split: stripped / f"{split}.jsonl" for split in SPLITS}
    found, seen = gather(paths, [("key00000", "另一种写法"), ("other", "别的"), ("key00001", POSTS["key00001"])])
    assert list(found.values()) == [POSTS["key00001"]]
    assert seen == {"key00000", "key00001"}


def test_rows_without_their_post_are_listed(stripped: Path, tmp_path: Path) -> None:
    have = dict(list(POSTS.items())[5:])
    have["key00000"] = POSTS["key00000"] + "。"
    result = restore(stripped, have, tmp_path / "out")
    assert (result.missing, result.other_text) == (4, 1)
    listed = lines(tmp_path / "out" / "missing.jsonl")
    assert {r["key"]: r["reason"] for r in listed} == dict.fromkeys(list(POSTS)[1:5], "missing") | {
        "key00000": "other_text"
    }
    back = [r for split in SPLITS for r in lines(tmp_path / "out" / f"{split}.jsonl")]
    assert len(back) + len(listed) == 40
    assert sorted(back, key=lambda r: r["key"]) == many()[5:]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["counts"]["missing"], manifest["counts"]["other_text"]) == (4, 1)


def test_again_is_done_already(folder: Path, stripped: Path, tmp_path: Path) -> None:
    before = (stripped / "manifest.json").read_bytes()
    assert strip(folder, stripped).total == 40
    assert (stripped / "manifest.json").read_bytes() == before
    first = restore(stripped, POSTS, tmp_path / "out")
    again = restore(stripped, POSTS, tmp_path / "out")
    assert isinstance(again, Restored)
    assert again.counts.rows == first.counts.rows


def test_what_is_no_dataset_is_said(folder: Path, stripped: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"meta\.json"):
        strip(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="no row of a stripped dataset"):
        restore(folder, POSTS, tmp_path / "out")
    with pytest.raises(UserError, match="no row of a dataset"):
        strip(stripped, tmp_path / "out2")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        strip(folder, tmp_path / "mine")


def test_a_reference_that_was_changed_is_said(stripped: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(stripped, copy)
    text = (copy / "train.jsonl").read_text(encoding="utf-8").replace("⟦9:20⟧", "⟦9:999⟧")
    (copy / "train.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="outside the post"):
        restore(copy, POSTS, tmp_path / "out")
