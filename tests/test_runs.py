"""`runs`: equal inputs give equal folders and bytes, and `verify` finds every change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mentalglm import runs
from mentalglm.errors import UserError


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    path = tmp_path / "posts.jsonl"
    path.write_text('{"text": "好累"}\n')
    return path


def make(root: Path, posts: Path, config: dict | None = None, **more) -> runs.Run:
    with runs.start("build", config or {"seed": 1}, {"posts": posts}, root=root, **more) as run:
        if not run.done:
            (run.folder / "train.jsonl").write_text("{}\n{}\n")
            (run.folder / "other").mkdir()
            (run.folder / "other" / "card.md").write_text("x")
            run.counts["posts"] = 1
    return run


def test_a_run_is_named_by_its_hash_and_verifies(tmp_path, posts):
    run = make(tmp_path / "runs", posts)
    assert run.folder == tmp_path / "runs" / f"build-{run.hash}"
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["inputs"] == {"posts": runs.file_hash(posts)}
    assert manifest["outputs"]["train.jsonl"]["rows"] == 2
    assert set(manifest["outputs"]) == {"train.jsonl", "other/card.md"}
    assert manifest["counts"] == {"posts": 1}
    assert runs.verify(run.folder) == []


def test_equal_inputs_give_equal_bytes_wherever_they_run(tmp_path, posts):
    a = make(tmp_path / "a", posts).folder
    copy = tmp_path / "elsewhere.jsonl"
    copy.write_bytes(posts.read_bytes())
    b = make(tmp_path / "b", copy, out=tmp_path / "b" / "named").folder
    assert (a / "manifest.json").read_bytes() == (b / "manifest.json").read_bytes()
    provenance = json.loads((a / "provenance.json").read_text())
    assert {"began", "ended", "host", "argv", "python", "mentalglm"} <= provenance.keys()


def test_config_and_inputs_change_the_hash(tmp_path, posts):
    first = make(tmp_path, posts).hash
    assert make(tmp_path, posts, {"seed": 2}).hash != first
    posts.write_text('{"text": "好"}\n')
    assert make(tmp_path, posts).hash != first
    assert runs.run_hash("a", {"x": 1, "y": 2}, {}) == runs.run_hash("a", {"y": 2, "x": 1}, {})


def test_a_finished_run_is_not_done_again(tmp_path, posts):
    assert not make(tmp_path / "runs", posts).done
    assert make(tmp_path / "runs", posts).done


def test_a_run_that_failed_has_no_manifest_and_can_be_run_again(tmp_path, posts):
    with pytest.raises(ZeroDivisionError), runs.start("x", {}, {"posts": posts}, root=tmp_path) as run:
        raise ZeroDivisionError
    assert not (run.folder / "manifest.json").exists()
    with pytest.raises(UserError, match="has no manifest"):
        runs.verify(run.folder)
    with runs.start("x", {}, {"posts": posts}, root=tmp_path) as run:
        assert not run.done
    assert runs.verify(run.folder) == []


def test_other_peoples_folders_are_left_alone(tmp_path, posts):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="is not empty"):
        make(tmp_path, posts, out=mine)
    with pytest.raises(UserError, match="was not made by a run"):
        make(tmp_path, posts, out=mine, overwrite=True)
    assert (mine / "thesis.txt").exists()


def test_another_run_is_overwritten_only_if_told(tmp_path, posts):
    make(tmp_path, posts, out=tmp_path / "out")
    with pytest.raises(UserError, match="holds another run"):
        make(tmp_path, posts, {"seed": 2}, out=tmp_path / "out")
    make(tmp_path, posts, {"seed": 2}, out=tmp_path / "out", overwrite=True)
    assert runs.verify(tmp_path / "out") == []


def test_a_config_that_cannot_be_hashed_is_refused(tmp_path, posts):
    for value in (object(), float("nan"), {1, 2}):
        with pytest.raises(UserError, match="cannot be hashed"):
            make(tmp_path, posts, {"x": value})


def test_every_change_is_found(tmp_path, posts):
    folder = make(tmp_path, posts).folder

    def problems() -> str:
        return "\n".join(runs.verify(folder))

    (folder / "train.jsonl").write_text("{}\n")
    assert "train.jsonl: rows is 1, in manifest.json 2" in problems()
    assert "train.jsonl: its content has changed" in problems()
    (folder / "train.jsonl").unlink()
    assert "train.jsonl: missing" in problems()
    (folder / "train.jsonl").write_text("{}\n{}\n")
    assert problems() == ""
    (folder / "more.txt").write_text("x")
    assert "more.txt: not listed" in problems()
    (folder / "more.txt").unlink()

    manifest = json.loads((folder / "manifest.json").read_text())
    changed = manifest | {"config": {"seed": 3}}
    (folder / "manifest.json").write_text(json.dumps(changed))
    assert "its hash is not that of its config" in problems()
    outside = manifest | {"outputs": manifest["outputs"] | {"../posts.jsonl": {"sha256": "x"}}}
    (folder / "manifest.json").write_text(json.dumps(outside))
    assert "../posts.jsonl: no path inside the folder" in problems()
    (folder / "manifest.json").write_text("[]")
    assert "no manifest of a run" in problems()
    (folder / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        problems()
    with pytest.raises(UserError, match="is not a folder"):
        runs.verify(folder / "train.jsonl")
