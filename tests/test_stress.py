"""The stress set: complete pairs, labels that fit each other, and nothing of it in any training file."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

from mentalglm import tasks
from mentalglm.build.near import grams
from mentalglm.tasks.answer import EXPRESSION_OF_LEVEL

FOLDER = Path(__file__).parents[1] / "src" / "mentalglm" / "datasets"
TRAINING = ("hard_negatives", "contrast_pairs", "rare_distortions")


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_labels_fit_each_other_by_the_codebook() -> None:
    distortions = set(tasks.load("cognitive_distortion").keys)
    for r in rows("stress/risk"):
        assert (r["label"] == "high") == (r["level"] >= 6), r["id"]
        assert r["expression"] == EXPRESSION_OF_LEVEL[r["level"]], r["id"]
        assert r["subject"] != "none" or r["level"] == 0, r["id"]
        assert set(r["distortions"]) <= distortions, r["id"]
        assert r["reason"], r["id"]
        assert 8 <= len(r["text"]) <= 170, r["id"]
        assert r["label2"] in ("low", "high"), r["id"]


def test_every_pair_has_two_posts_that_differ_in_reading() -> None:
    pairs: dict[str, list[dict]] = defaultdict(list)
    for r in rows("stress/risk"):
        pairs[r["pair"]].append(r)
    band = lambda n: (n > 0) + (n > 3) + (n > 5) + (n > 8)  # noqa: E731
    for name, two in pairs.items():
        assert len(two) == 2, name
        readings = {
            (r["label"], band(r["level"]), r["subject"], r["past_attempt"], tuple(r["distortions"])) for r in two
        }
        assert len(readings) == 2, name
    count = Counter(r["category"] for r in rows("stress/risk"))
    assert len(count) == 22
    assert min(count.values()) >= 40
    assert len(pairs) >= 300


def test_nothing_of_it_is_trained_on() -> None:
    index: dict[str, set[int]] = defaultdict(set)
    known = [grams(r["text"]) for name in TRAINING for r in rows(name)]
    for i, found in enumerate(known):
        for gram in found:
            index[gram].add(i)
    for r in rows("stress/risk"):
        own = grams(r["text"])
        shared = Counter(i for gram in own for i in index[gram])
        for i, n in shared.items():
            assert n / (len(own) + len(known[i]) - n) < 0.35, r["id"]
