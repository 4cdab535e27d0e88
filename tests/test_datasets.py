"""The invented datasets in the package are what their cards say: varied, split by family, hard enough, held out."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import mentalglm
from mentalglm.schema import SUBJECTS
from mentalglm.tasks import load

FOLDER = Path(mentalglm.__file__).with_name("datasets")
SPLITS = ("train", "validation", "test")
TRAINING = ("hard_negatives", "contrast_pairs", "rare_distortions", *(f"pathway_synthetic/{s}" for s in SPLITS))
PATHWAY = load("cognitive_pathway").leaves
DISTORTIONS = load("cognitive_distortion").keys
# The characters that make a sentence's frame: pronouns, particles, conjunctions, modals, the commonest adverbs.
FUNCTION_CHARACTERS = frozenset(
    "我你他她它们的了是在就都也还又和跟与但可却而且因为所以如果要不没有会能自己这那什么怎么只才再被把给让对从到得地着过"
    "吗呢吧啊觉知道想很太最更每一个总永远应该必须"
)
PUNCTUATION = re.compile(r"[\s，。！？!?…~～、,.“”\"'（）()：:；;]")
FRAME_AT_LEAST = 4  # frames of fewer function characters ("我_了") are the language, not a template


@cache
def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def pathway() -> list[dict[str, Any]]:
    return [row for split in SPLITS for row in rows(f"pathway_synthetic/{split}")]


def frame(sentence: str) -> str:
    """The function characters of `sentence`, with one `_` for whatever stands between them."""
    bare = PUNCTUATION.sub("", sentence)
    return re.sub("_+", "_", "".join(ch if ch in FUNCTION_CHARACTERS else "_" for ch in bare))


def grams(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(max(1, len(text) - 2))}


def nearest(texts: list[str], others: list[str] | None = None) -> tuple[float, str, str]:
    """The largest Jaccard of character 3-grams between a text and one of `others` (without it: another of `texts`)."""
    holders: dict[str, list[int]] = defaultdict(list)
    known = [grams(t) for t in (texts if others is None else others)]
    for i, g in enumerate(known):
        for x in g:
            holders[x].append(i)
    best = (0.0, "", "")
    for i, text in enumerate(texts):
        own = grams(text)
        for j, n in Counter(j for x in own for j in holders[x]).items():
            if others is None and j >= i:
                continue
            best = max(best, (n / (len(own) + len(known[j]) - n), text, (texts if others is None else others)[j]))
    return best


def sentences(row: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(row["text"][s["start"] : s["end"]], s["labels"]) for s in row["sentences"]]


def test_the_pathway_set_is_large_enough_and_every_child_is_there():
    posts = pathway()
    found = [labels for row in posts for _, labels in sentences(row)]
    counts = Counter(label for labels in found for label in labels)
    assert len(posts) >= 600
    assert all(len(row["sentences"]) > 1 for row in posts)
    assert set(counts) == set(PATHWAY)
    assert min(counts.values()) >= 30, counts.most_common()[-3:]
    assert all(len(set(labels)) == len(labels) <= 2 for labels in found)
    assert 0.55 <= sum(not labels for labels in found) / len(found) <= 0.65


def test_pathway_offsets_cover_the_text():
    for row in pathway():
        text, spans = row["text"], [(s["start"], s["end"]) for s in row["sentences"]]
        assert all(text[a:b] and text[a:b] == text[a:b].strip() for a, b in spans), row["id"]
        edges = [0, *[x for span in spans for x in span], len(text)]
        assert edges == sorted(edges), row["id"]
        between = [text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
        assert not "".join(between).strip(), row["id"]


def test_pathway_splits_share_no_family_and_no_id():
    families = {split: {row["family"] for row in rows(f"pathway_synthetic/{split}")} for split in SPLITS}
    assert sum(map(len, families.values())) == len(set.union(*families.values()))
    assert {split: len(rows(f"pathway_synthetic/{split}")) for split in SPLITS} == dict(
        zip(SPLITS, (480, 60, 120), strict=True)
    )
    ids = [row["id"] for row in pathway()]
    assert len(ids) == len(set(ids))


def test_no_two_pathway_posts_are_alike():
    likeness, one, other = nearest([row["text"] for row in pathway()])
    assert likeness <= 0.4, (one, other)


def test_no_sentence_frame_stands_in_more_than_two_pathway_posts():
    posts_of: dict[str, set[str]] = defaultdict(set)
    for row in pathway():
        for sentence, _ in sentences(row):
            shape = frame(sentence)
            if len(shape.replace("_", "")) >= FRAME_AT_LEAST:
                posts_of[shape].add(row["id"])
    assert {shape: ids for shape, ids in posts_of.items() if len(ids) > 2} == {}


@pytest.mark.slow
def test_tf_idf_does_not_solve_the_pathway_set():
    """Even with the threshold that suits the test split best."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import MultiLabelBinarizer
    from sklearn.svm import LinearSVC

    known = [x for row in rows("pathway_synthetic/train") for x in sentences(row)]
    asked = [x for row in rows("pathway_synthetic/test") for x in sentences(row)]
    binary = MultiLabelBinarizer(classes=list(PATHWAY))
    y, truth = (np.asarray(binary.fit_transform([labels for _, labels in part])) for part in (known, asked))
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    x = vectors.fit_transform([text for text, _ in known])
    model = OneVsRestClassifier(LinearSVC(class_weight="balanced")).fit(x, y)
    scores = model.decision_function(vectors.transform([text for text, _ in asked]))

    def micro_f1(threshold: float) -> float:
        guess = scores > threshold
        return 200 * (guess * truth).sum() / (guess.sum() + truth.sum())

    best = max(micro_f1(t) for t in np.linspace(-1, 1, 81))
    assert 30 < best < 75  # under 30 the baseline would be broken


def test_minimal_pairs_are_pairs_of_all_kinds():
    pairs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows("minimal_pairs"):
        pairs[row["pair"]].append(row)
    assert len(pairs) >= 40
    assert all(len(two) == 2 and two[0]["kind"] == two[1]["kind"] for two in pairs.values())
    assert {row["kind"] for row in rows("minimal_pairs")} == {"denial", "third_person", "idiom", "lyrics_fiction_news"}
    reading = ("suicide_risk", "level", "expression", "subject", "past_attempt")
    for one, other in pairs.values():
        assert any(one[k] != other[k] for k in reading), one["pair"]


def test_minimal_pairs_are_held_out():
    from mentalglm.train import corpus

    trained = {name.removesuffix(".jsonl") for name in corpus.INVENTED}
    assert trained == set(TRAINING)
    likeness, one, other = nearest(
        [row["text"] for row in rows("minimal_pairs")], [row["text"] for name in TRAINING for row in rows(name)]
    )
    assert likeness <= 0.5, (one, other)


@pytest.mark.parametrize("name", ["minimal_pairs", "hard_negatives", "contrast_pairs"])
def test_risk_fields_agree_with_each_other(name: str):
    for row in rows(name):
        level = row["level"]
        assert 0 <= level <= 10
        assert row["subject"] in SUBJECTS
        assert isinstance(row["past_attempt"], bool)
        if (
            level >= 4 and row["subject"] != "unclear"
        ):  # a wish or plan is the author's own, by the definition of the level
            assert row["subject"] == "self", row["id"]
        if name == "minimal_pairs":
            assert row["suicide_risk"] == ("high" if level >= 6 else "low"), row["id"]
            bounds = {"none": (0, 0), "pain": (1, 3), "wish": (4, 5), "plan": (6, 8), "imminent": (9, 10)}
            low, high = bounds[row["expression"]]
            assert low <= level <= high, row["id"]


def test_there_are_enough_hard_negatives_of_the_same_domain():
    hard = rows("hard_negatives")
    assert sum(row["level"] < 6 and row["subject"] == "self" for row in hard) >= 300  # distress without plan
    assert sum(not row["distortions"] and row["level"] >= 1 for row in hard) >= 300  # distress without distortion
    assert sum(row["kind"] == "realistic_thought" for row in hard) >= 50
    assert sum(row["level"] >= 6 for row in hard) >= 100  # and high ones beside them, so that the set is no label
    assert Counter(row["kind"].split("_")[0] for row in hard)["pair"] >= 300


def test_contrast_pairs_are_pairs_with_another_reading_and_a_validation_part_of_their_own():
    pairs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows("contrast_pairs"):
        pairs[row["pair"]].append(row)
    assert len(pairs) >= 2000
    for two in pairs.values():
        assert len(two) == 2
        assert len({row["split"] for row in two}) == len({row["kind"] for row in two}) == 1
        assert len({(row["level"], row["subject"], row["past_attempt"]) for row in two}) == 2, two[0]["pair"]
    by_split = {
        s: [row["text"] for row in rows("contrast_pairs") if row["split"] == s] for s in ("train", "validation")
    }
    assert 0.05 < len(by_split["validation"]) / len(rows("contrast_pairs")) < 0.15
    likeness, one, other = nearest(by_split["validation"], by_split["train"])
    assert likeness <= 0.5, (one, other)


def test_rare_distortions_lift_the_rare_ones():
    counts = Counter(d for row in rows("rare_distortions") for d in row["distortions"])
    assert sum(not row["distortions"] for row in rows("rare_distortions")) >= 30  # look-alikes without any
    assert all(counts[d] >= 40 for d in ("disqualifying_the_positive", "emotional_reasoning", "all_or_nothing"))


def test_labels_are_known_and_rows_are_tidy():
    names = [*TRAINING, "minimal_pairs"]
    everything = [row for name in names for row in rows(name)]
    assert all(set(row.get("distortions", [])) <= set(DISTORTIONS) for row in everything)
    assert all(set(labels) <= set(PATHWAY) for row in pathway() for _, labels in sentences(row))
    assert all(row["text"].strip() == row["text"] != "" for row in everything if "sentences" not in row)
    for key in ("id", "text"):
        assert [x for x, n in Counter(row[key] for row in everything).items() if n > 1] == []


def test_the_cards_state_the_counts():
    """The tables of the cards are counted anew."""
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in ("hard_negatives", "contrast_pairs", "rare_distortions", "minimal_pairs"):
        assert f"| `{name}.jsonl` | {len(rows(name)):,} |" in card
    for kind, n in Counter(row["kind"] for row in rows("hard_negatives")).items():
        high = sum(row["level"] >= 6 for row in rows("hard_negatives") if row["kind"] == kind)
        assert f"| `{kind}` | {n} | {high} |" in card, kind
    for kind, of in ((k, [r for r in rows("contrast_pairs") if r["kind"] == k]) for k in ("denial", "third_person")):
        parts = Counter(row["split"] for row in of)
        high = sum(row["level"] >= 6 for row in of)
        assert f"| `{kind}` | {parts['train']:,} | {parts['validation']} | {high} |" in card, kind
    own = (FOLDER / "pathway_synthetic" / "README.md").read_text(encoding="utf-8")
    found = {
        split: [labels for row in rows(f"pathway_synthetic/{split}") for _, labels in sentences(row)]
        for split in SPLITS
    }
    for split in SPLITS:
        posts, families = (
            rows(f"pathway_synthetic/{split}"),
            {row["family"] for row in rows(f"pathway_synthetic/{split}")},
        )
        bare = sum(not labels for labels in found[split])
        line = f"| {split} | {len(posts)} | {len(families)} | {len(found[split]):,} | {bare:,} ("
        assert own.count(line) == 2, line  # the English table and the Chinese
    counts = {split: Counter(x for labels in found[split] for x in labels) for split in SPLITS}
    for label in PATHWAY:
        each = [counts[split][label] for split in SPLITS]
        assert f"| `{label}` | {' | '.join(map(str, [*each, sum(each)]))} |" in own, label


def test_every_pathway_post_is_explained_in_its_own_words() -> None:
    posts = {row["id"]: row for split in SPLITS for row in rows(f"pathway_synthetic/{split}")}
    written = {row["id"]: row for row in rows("pathway_synthetic/explanations")}
    assert sorted(written) == sorted(posts)
    for name, row in written.items():
        text = posts[name]["text"]
        assert 40 <= len(row["explanation"]) <= 260, name
        assert all(q in text for q in re.findall("“([^“”]+)”", row["explanation"])), name
        steps = {label.split(".")[0] for s in posts[name]["sentences"] for label in s["labels"]}
        assert {k for k, v in row["summary"].items() if v} == steps, name
    assert len({row["explanation"] for row in written.values()}) == len(written)
