"""`mentalglm evaluate --task`: the run folder, its form, and that its stored predictions give it again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mentalglm import runs
from mentalglm.errors import MissingError, UserError
from mentalglm.evaluate import command, scores, stored, table
from mentalglm.evaluate.command import names


def save(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.random(120) < 0.5
    gold = [{"id": f"p{n}", "labels": ["high" if v else "low"], "thread": f"t{n // 4}"} for n, v in enumerate(y)]
    paths = {"gold": save(tmp_path / "gold.jsonl", gold)}
    for name, share in (("a", 0.7), ("b", 0.8), ("c", 0.9)):
        p = np.where(rng.random(120) < share, y, ~y) * 0.6 + 0.2 + rng.random(120) * 0.1
        rows = [
            {
                "id": f"p{n}",
                "labels": ["high" if v > 0.5 else "low"],
                "probabilities": {"low": 1 - v, "high": v},
                "abstained": bool(abs(v - 0.5) < 0.25),
            }
            for n, v in enumerate(p)
        ]
        paths[name] = save(tmp_path / f"{name}.jsonl", rows[:-2] if name == "a" else rows)
    return paths


def call(files, out, *pred, task="suicide_risk", **more):
    return command.command(task, files["gold"], [str(files.get(p, p)) for p in pred], out, samples=200, **more)


def test_one_system(files, tmp_path):
    found = call(files, tmp_path / "run", "a")
    assert found.code == 0
    score = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert {"task", "n", "missing", "unparsed", "metrics", "baselines"} <= score.keys()
    assert (score["task"], score["n"], score["missing"], score["unparsed"]) == ("suicide_risk", 120, 2, 0)
    for name in (
        "f1",
        "micro_f1",
        "macro_f1",
        "weighted_f1",
        "samples_f1",
        "precision",
        "recall",
        "accuracy",
        "exact_match",
    ):
        one = score["metrics"][name]
        assert one["low"] <= one["value"] <= one["high"]
    assert set(score["baselines"]) == {"majority", "always"}
    assert score["baselines"]["always"]["recall"]["value"] == 1
    assert score["calibration"]["population"]["prevalence"] == pytest.approx(0.5, abs=0.1)
    assert runs.verify(tmp_path / "run") == []
    text = "\n".join(found.lines)
    assert "missing 2" in text
    assert "always (trivial)" in text
    assert "p118" in text
    again = call(files, tmp_path / "run", "a")  # the same run, finished
    assert again.lines[:-1] == found.lines[:-1]


def test_the_stored_predictions_give_the_scores_again_and_a_change_shows(files, tmp_path):
    run = call(files, tmp_path / "run", "a", "b", group="thread").folder
    assert command.recompute(run) == []
    assert json.loads((run / "scores.json").read_text())["abstained"] > 0
    text = (run / "scores.json").read_text()
    value = json.loads(text)["metrics"]["f1"]["value"]
    (run / "scores.json").write_text(text.replace(f'"value": {value}', '"value": 0.999', 1))
    assert any("metrics" in problem for problem in command.recompute(run))
    (run / "scores.json").write_text(text)
    (run / "tables.md").write_text("better")
    assert command.recompute(run) == ["tables.md: it is not what predictions.parquet gives"]
    assert command.recompute(tmp_path) == []


def test_equal_calls_give_equal_bytes(files, tmp_path):
    one, two = (call(files, tmp_path / name, "a", "b").folder for name in ("one", "two"))
    for name in ("scores.json", "tables.md", "predictions.parquet", "manifest.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_several_systems_and_seeds(files, tmp_path):
    preds = [f"s={files['a']}", f"s={files['b']}", str(files["c"])]
    found = call(files, tmp_path / "run", *preds)
    score = json.loads((found.folder / "scores.json").read_text())
    assert set(score["systems"]) == {"s", "c"}
    assert score["seeds"]["s"]["f1"]["runs"] == 2
    assert [(r["first"], r["second"], r["metric"]) for r in score["comparisons"]] == [
        ("s", "c", "f1"),
        ("s", "c", "accuracy"),
    ]
    assert score["comparisons"][0]["low"] > 0
    text = (found.folder / "tables.md").read_text()
    assert "## Seeds of s" in text
    assert "## Comparisons" in text
    assert "s, seed 2" in text


def test_rows_that_cannot_be_read_are_told_by_the_exit_code(files, tmp_path):
    files["a"].write_text(files["a"].read_text() + "{\n")
    found = call(files, tmp_path / "run", "a")
    assert found.code == 1
    assert any("1 rows that cannot be read (set aside): row 119" in line for line in found.lines)


def test_the_gold_against_itself_is_perfect_and_says_so(files, tmp_path):
    found = call(files, tmp_path / "run", "gold")
    assert any("is the gold file itself" in line for line in found.lines)
    score = json.loads((found.folder / "scores.json").read_text())
    f1 = score["metrics"]["f1"]
    assert f1["value"] == f1["high"] == 1
    assert 0.9 < f1["low"] < 1  # so many posts do not show more


def test_a_scorer_that_does_not_find_the_gold_perfect_scores_nothing(files, tmp_path, monkeypatch):
    from mentalglm.evaluate import score

    honest = score.counts
    monkeypatch.setattr(score, "counts", lambda gold, said, *more, **k: honest(gold, ~said, *more, **k))
    with pytest.raises(scores.Broken, match="not perfect"):
        call(files, tmp_path / "run", "a")
    assert not (tmp_path / "run" / "scores.json").exists()


def test_wrong_calls(files, tmp_path):
    with pytest.raises(UserError, match="did you mean suicide_risk"):
        call(files, tmp_path / "run", "a", task="suicide")
    with pytest.raises(MissingError, match="nowhere"):
        call(files, tmp_path / "run", "nowhere.jsonl")
    with pytest.raises(UserError, match="no predictions"):
        call(files, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_names():
    assert names(["x/a.jsonl", "y/b.jsonl"]) == [("a", Path("x/a.jsonl")), ("b", Path("y/b.jsonl"))]
    assert [n for n, _ in names(["x/pred.jsonl", "y/pred.jsonl"])] == ["x/pred", "y/pred"]
    assert [n for n, _ in names(["ours=x/1.jsonl", "ours=x/2.jsonl"])] == ["ours", "ours"]
    with pytest.raises(UserError, match="NAME=FILE"):
        names(["x/a.jsonl", "x/a.csv"])


def pathway(tmp_path) -> dict[str, Path]:
    def row(n: int, second: str) -> dict:
        found = [{"start": 0, "end": 5, "labels": ["event", "event.life"]}, {"start": 5, "end": 9, "labels": []},
                 {"start": 9, "end": 14, "labels": ["belief", second]}]  # fmt: skip
        return {"id": str(n), "sentences": found, "labels": ["event", "event.life", "belief", second]}

    gold = [row(n, "belief.blame" if n % 3 else "belief.labeling") for n in range(30)]
    said = [row(n, "belief.blame") for n in range(30)]
    return {"gold": save(tmp_path / "g.jsonl", gold), "a": save(tmp_path / "p.jsonl", said)}


def test_the_pathway_has_both_protocols(tmp_path):
    found = call(pathway(tmp_path), tmp_path / "run", "a", task="cognitive_pathway")
    score = json.loads((found.folder / "scores.json").read_text())
    assert score["metrics"]["hierarchical_f1"]["value"] == pytest.approx(1 - 10 / 120)
    spans = score["protocols"]["labelled_spans"]
    assert spans["n"] == 60
    assert spans["metrics"]["child_micro_f1"]["value"] == pytest.approx(1 - 10 / 60)
    assert score["protocols"]["sentences"]["n"] == 90
    assert command.recompute(found.folder) == []


def test_summaries(tmp_path):
    def row(n: int, text: str | None) -> dict:
        return {"id": str(n), "task": "pathway_summary", "summary": {"event": text, "belief": None}}

    gold = save(tmp_path / "g.jsonl", [row(n, "被老师批评") for n in range(9)])
    pred = save(tmp_path / "p.jsonl", [row(n, "被批评" if n else None) for n in range(9)])
    best = save(tmp_path / "q.jsonl", [row(n, "被老师批评") for n in range(9)])
    found = call({"gold": gold}, tmp_path / "run", str(pred), str(best), task="pathway_summary")
    score = json.loads((found.folder / "scores.json").read_text())
    assert score["metrics"]["rouge1"]["value"] == pytest.approx(8 / 9 * 0.75, abs=1e-6)
    assert score["comparisons"][0]["difference"] == pytest.approx(1 - 8 / 9 * 0.75, abs=1e-6)
    assert command.recompute(found.folder) == []


def test_english_tasks_have_the_weighted_f1(tmp_path):
    keys = ("school", "work", "family_issues")
    gold = save(tmp_path / "g.jsonl", [{"id": str(n), "task": "imhi_sad", "labels": [keys[n % 3]]} for n in range(30)])
    pred = save(tmp_path / "p.jsonl", [{"id": str(n), "labels": [keys[n % 3 if n % 5 else 0]]} for n in range(30)])
    found = call({"gold": gold}, tmp_path / "run", str(pred), task="imhi_sad")
    score = json.loads((found.folder / "scores.json").read_text())
    assert score["metrics"]["weighted_f1"]["low"] is not None
    assert set(score["baselines"]) == {"majority"}
    assert "weighted F1" in (found.folder / "tables.md").read_text()
    assert any("no gold row has" in line for line in found.lines)


def test_synthetic_posts_are_called_so(files, tmp_path):
    rows = [json.loads(line) for line in files["gold"].read_text().splitlines()]
    rows[0]["synthetic"], rows[1]["sources"], rows[2]["source"] = True, ["pathway_synthetic"], "sos_hl_1k"
    save(files["gold"], rows)
    found = call(files, tmp_path / "run", "b")
    assert any("2 of the 120 posts are synthetic" in line for line in found.lines)
    assert "2 of the 120 posts are synthetic" in (found.folder / "tables.md").read_text()
    assert command.recompute(found.folder) == []


def test_no_post_stands_in_the_folder(files, tmp_path):
    """Texts of the gold stay in the gold."""
    rows = [json.loads(line) | {"text": "这句不能出现"} for line in files["gold"].read_text().splitlines()]
    save(files["gold"], rows)
    run = call(files, tmp_path / "run", "a").folder
    for path in run.iterdir():
        assert "这句不能出现".encode() not in path.read_bytes()
    assert "text" not in stored.read(run / stored.NAME)[0].ids


def test_numbers_for_people():
    assert table.interval({"value": 0.8351, "low": 0.81, "high": 0.8579}) == "83.5 [81.0, 85.8]"
    assert table.interval({"value": 0.5, "low": None, "high": None}) == "50.0 [–]"
