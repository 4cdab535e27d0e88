"""Everything that `mini` learns from, as one list of examples: published sets (read from a folder of tidy JSONL) and the
project's own invented sets. A post that stands in several sets becomes one example with all of its targets."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mentalglm.errors import MissingError
from mentalglm.schema import SUBJECTS
from mentalglm.text import clean, content_key
from mentalglm.text.attempt import ATTEMPT_HINT

DISTORTIONS = (
    "all_or_nothing", "overgeneralization", "mental_filter", "disqualifying_the_positive", "mind_reading",
    "fortune_telling", "magnification", "emotional_reasoning", "should_statements", "labeling", "self_blame",
    "other_blame",
)  # fmt: skip
_NAMES = "非此即彼 以偏概全 心理过滤 否定正面思考 读心术 先知错误 放大 情绪化推理 应该式 乱贴标签 罪责归己 罪责归他"
DISTORTIONS_ZH = dict(zip(_NAMES.split(), DISTORTIONS, strict=True))
PATHWAY = (
    "event.illness", "event.relationships", "event.life", "event.study_work", "event.emotion",
    "belief.all_or_nothing", "belief.overgeneralization", "belief.mental_filter", "belief.disqualifying_the_positive",
    "belief.jumping_to_conclusions", "belief.magnification_minimization", "belief.emotional_reasoning",
    "belief.should_statements", "belief.labeling", "belief.blame", "consequence.emotional", "consequence.behavioral",
    "disputation.habitual", "disputation.effective",
)  # fmt: skip
BELIEF_OF = {
    "mind_reading": "belief.jumping_to_conclusions",
    "fortune_telling": "belief.jumping_to_conclusions",
    "magnification": "belief.magnification_minimization",
    "self_blame": "belief.blame",
    "other_blame": "belief.blame",
}
WARM = "contrast"  # the set that the warm start learns from; it has no fold
PSY = (
    "自杀未遂", "自杀准备行为", "自杀计划", "主动自杀意图", "被动自杀意图", "用户攻击行为", "他人攻击行为", "自伤行为",
    "自伤意图", "关于自杀的探索", "与自杀/自伤/攻击行为无关",
)  # fmt: skip
OWN_SETS = ("hard", WARM, "rare", "pathway_synthetic", "ordinary_weibo")  # whose risk label we gave ourselves
PSY_UNRELATED = 300  # of its 1,075 posts without a kind: the head only helps, and the others cost time


@dataclass(slots=True)
class Example:
    """One post. Targets that are unknown are None (or NaN in `sentences`)."""

    key: str
    text: str
    sources: list[str]
    group: int = -1
    risk: int | None = None
    level: int | None = None
    subject: int | None = None
    attempt: int | None = None
    distortions: tuple[str, ...] | None = None
    psy: tuple[str, ...] | None = None
    family: str = ""
    # (start, end) in `text` with the pathway labels of that sentence, None where unknown
    sentences: list[tuple[int, int, tuple[str, ...] | None]] = field(default_factory=list)
    fold: int = -1


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise MissingError(f"{path} is not there", "name the folder of the source files with --from FOLDER")
    with path.open(encoding="utf-8") as f:
        for line in f:
            if line.strip():
                yield json.loads(line)


FILES = {
    "sos_hl_1k": ["sos_hl_1k/train.jsonl"],
    "sos_4k": ["sos_4k/train.jsonl", "sos_4k/val.jsonl"],
    "socialcd_3k": ["socialcd_3k/train.jsonl"],
    "psysuicide": ["psysuicide/train.jsonl"],
    "ordinary_weibo": ["ordinary_weibo/train.jsonl"],
}
INVENTED = [
    "hard_negatives.jsonl", "contrast_pairs.jsonl", "rare_distortions.jsonl", "pathway_synthetic/train.jsonl",
    "pathway_synthetic/validation.jsonl", "pathway_synthetic/test.jsonl",
]  # fmt: skip
INVENTED_FOLDER = Path(__file__).parents[1] / "datasets"


def inputs(sets: Iterable[str], folder: Path | None) -> dict[str, Path]:
    """Every file that the sets `sets` read, by name. Raises MissingError where a folder is needed and not named."""
    found: dict[str, Path] = {}
    for name in sets:
        if name == "invented":
            found |= {f"invented/{x}": INVENTED_FOLDER / x for x in INVENTED}
            continue
        if folder is None:
            raise MissingError(f"the set {name} is not in this package", "name its folder with --from FOLDER")
        found |= {x: folder / x for x in FILES[name]}
    for path in found.values():
        if not path.is_file():
            raise MissingError(f"{path} is not there", "name the folder of the source files with --from FOLDER")
    return found


def collect(sets: Iterable[str], folder: Path | None, ordinary: int, seed: int) -> list[Example]:
    """The examples of the sets `sets`, merged by content key; of the ordinary posts a fixed sample of `ordinary`."""
    readers = {
        "sos_hl_1k": _sos_hl, "sos_4k": _sos_4k, "socialcd_3k": _socialcd, "psysuicide": _psysuicide,
    }  # fmt: skip
    found: list[Example] = []
    for name in sets:
        if name == "invented":
            found += invented(INVENTED_FOLDER)
            continue
        assert folder is not None  # `inputs` has said so
        found += ordinary_posts(folder, ordinary, seed) if name == "ordinary_weibo" else readers[name](folder)
    return merge(found)


def _sos_hl(folder: Path) -> Iterator[Example]:
    for r in _rows(folder / "sos_hl_1k/train.jsonl"):
        yield _example(r["text"], "sos_hl_1k", risk=int(r["label"]))


def _sos_4k(folder: Path) -> Iterator[Example]:
    for path in FILES["sos_4k"]:
        for r in _rows(folder / path):
            yield _example(r["text"], "sos_4k", level=int(r["label"]))


def _socialcd(folder: Path) -> Iterator[Example]:
    for r in _rows(folder / "socialcd_3k/train.jsonl"):
        yield _example(r["text"], "socialcd_3k", distortions=tuple(DISTORTIONS_ZH[x] for x in r["labels"]))


def _psysuicide(folder: Path) -> Iterator[Example]:
    unrelated = 0
    for r in _rows(folder / "psysuicide/train.jsonl"):
        unrelated += r["labels"] == [PSY[-1]]
        if r["labels"] != [PSY[-1]] or unrelated <= PSY_UNRELATED:
            yield _example(r["text"], "psysuicide", psy=tuple(r["labels"]))


def ordinary_posts(folder: Path, count: int, seed: int) -> Iterator[Example]:
    """A fixed sample of ordinary Weibo posts: level 0, no distortion, no pathway label."""
    rows = list(_rows(folder / "ordinary_weibo/train.jsonl"))
    for i in np.random.default_rng(seed).permutation(len(rows))[:count]:
        e = _example(rows[i]["text"], "ordinary_weibo", level=0, distortions=(), risk=0)
        e.subject, e.attempt, e.sentences = SUBJECTS.index("none"), 0, [(0, len(e.text), ())]
        yield e


def invented(folder: Path) -> Iterator[Example]:
    """The project's own posts: `hard.jsonl` (hard negatives and their counterparts), `rare.jsonl` (rare distortions),
    and the synthetic pathway set."""
    for r in _rows(folder / "hard_negatives.jsonl"):
        e = _example(
            r["text"], "hard", risk=int(r["level"] >= 6), level=r["level"], distortions=tuple(r["distortions"])
        )
        e.subject, e.attempt = SUBJECTS.index(r["subject"]), int(r["past_attempt"])
        e.family = r.get("pair", "")
        yield e
    for r in _rows(folder / "contrast_pairs.jsonl"):
        if r["split"] == "train":
            yield _contrast(r)
    for r in _rows(folder / "rare_distortions.jsonl"):
        yield _example(r["text"], "rare", distortions=tuple(r["distortions"]))
    for split in ("train", "validation", "test"):
        for r in _rows(folder / f"pathway_synthetic/{split}.jsonl"):
            cleaned = clean(r["text"])
            spans = []
            for s in r["sentences"]:
                at = [
                    i
                    for i, (a, b) in enumerate(zip(cleaned.starts, cleaned.ends, strict=True))
                    if a < s["end"] and b > s["start"]
                ]
                if at:
                    spans.append((at[0], at[-1] + 1, tuple(s["labels"])))
            e = _example(r["text"], "pathway_synthetic")
            e.sentences, e.family = spans, r["family"]
            yield e


def contrast_validation(folder: Path) -> list[Example]:
    """The contrast pairs that no fit trains on: how long the warm start takes was chosen on them."""
    return [_contrast(r) for r in _rows(folder / "contrast_pairs.jsonl") if r["split"] == "validation"]


def _contrast(r: dict[str, Any]) -> Example:
    e = _example(r["text"], WARM)
    if r["subject"] != "unclear":  # whose wish it is cannot be told: neither can the author's level
        e.risk, e.level = int(r["level"] >= 6), r["level"]
    e.subject, e.attempt, e.family = SUBJECTS.index(r["subject"]), int(r["past_attempt"]), r["pair"]
    return e


def _example(text: str, source: str, **targets: Any) -> Example:
    return Example(content_key(text), clean(text).text, [source], **targets)


def merge(examples: Iterable[Example]) -> list[Example]:
    """One example a content key; a target already there stays, except that a published risk label wins over one that
    was derived. Empty texts are left out."""
    by_key: dict[str, Example] = {}
    for e in sorted(examples, key=lambda e: e.sources[0] in OWN_SETS):
        if not e.text.strip():
            continue
        old = by_key.setdefault(e.key, e)
        if old is e:
            continue
        old.sources += e.sources
        for name in ("risk", "level", "subject", "attempt", "distortions", "psy"):
            if getattr(old, name) is None:
                setattr(old, name, getattr(e, name))
        old.sentences = old.sentences or e.sentences
        old.family = old.family or e.family
    for e in by_key.values():
        if e.subject is None and e.level is not None and e.level >= 4:
            e.subject = SUBJECTS.index("self")  # a wish or plan is the author's own, by the definition of the level
        if len(e.sentences) == 0 and e.distortions is not None:
            _belief_of_single_sentence(e)
        if e.attempt is None and not ATTEMPT_HINT.search(e.text):
            e.attempt = 0
    return list(by_key.values())


def _belief_of_single_sentence(e: Example) -> None:
    """A distortion label says which belief a post holds; where the post is one sentence it says which sentence."""
    body = re.split(r"[。！？!?…~\n ]+", e.text.strip("。！？!?…~ \n"))
    if len(body) == 1 and e.distortions:
        labels = tuple(dict.fromkeys(BELIEF_OF.get(d, "belief." + d) for d in e.distortions))
        e.sentences = [(0, len(e.text), labels)]


def group(examples: list[Example], threshold: float = 0.7) -> None:
    """Sets `group`: near-duplicates (Jaccard of character 3-grams at or over `threshold`) and posts of one prompt
    family stand together."""
    parent = list(range(len(examples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(i: int, j: int) -> None:
        # the lowest index names the group, whatever the order of joining: sets iterate differently from run to run
        a, b = sorted((root(i), root(j)))
        parent[b] = a

    grams = [{e.text[i : i + 3] for i in range(max(1, len(e.text) - 2))} for e in examples]
    holders: dict[str, list[int]] = defaultdict(list)
    for i, g in enumerate(grams):
        for x in g:
            holders[x].append(i)
    for i, g in enumerate(grams):
        shared: dict[int, int] = defaultdict(int)
        for x in g:
            if len(holders[x]) <= 400:
                for j in holders[x]:
                    if j < i:
                        shared[j] += 1
        for j, n in shared.items():
            if n >= threshold * (len(g) + len(grams[j]) - n) * 0.999:
                join(i, j)
    families: dict[str, int] = {}
    for i, e in enumerate(examples):
        if e.family:
            join(i, families.setdefault(e.family, i))
    for i, e in enumerate(examples):
        e.group = root(i)


def assign_folds(examples: list[Example], folds: int, seed: int) -> None:
    """Sets `fold`: grouped and stratified by source and main label. Posts of the warm start are in no fold (-1): every
    fit has seen them."""
    from sklearn.model_selection import StratifiedGroupKFold

    warm = {e.group for e in examples if WARM in e.sources}
    examples = [e for e in examples if e.group not in warm]

    def stratum(e: Example) -> str:
        rare = [d for d in (e.distortions or ()) if d != "labeling"]
        return f"{e.sources[0]}:{e.risk}:{(e.level or 0) // 3}:{rare[0] if rare else '-'}"

    names = [stratum(e) for e in examples]
    few = {n for n in set(names) if names.count(n) < folds * 2}
    codes = {n: i for i, n in enumerate(sorted(set(names)))}
    y = np.array([-1 if n in few else codes[n] for n in names])
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for k, (_, held) in enumerate(split.split(y, y, [e.group for e in examples])):
        for i in held:
            examples[i].fold = k
