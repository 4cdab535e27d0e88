"""The deletion test: does a label's evidence carry it? What `mini` says when its evidence is taken out of the post.

    python benchmarks/deletion.py --out benchmarks/results/deletion.json [--input posts.jsonl] [--limit 300]

For each post and each label that it gives (high risk, each distortion, each child of the pathway) the probability of
that label is read again (a) with the evidence deleted and (b) with each of its characters replaced by 某, and compared
with the mean over 20 random sets of spans of the same lengths, drawn outside the evidence. The label passes where the
evidence brings it down further than the random spans do, both ways. Evidence may take 30 % of a post's characters, 12
in a post under 40; more is a failure of its own. A post passes where all of its labels of a task do.

Started again, it goes on where it was: OUT.partial.jsonl holds numbers and hashes, no post.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import systems
from systems import TASKS

Spans = list[tuple[int, int]]
SETS, TRIES = 20, 200
TOGETHER = 8  # posts whose variants are read together


def limit_of(length: int) -> int:
    """How many characters of a post of `length` one label's evidence may take."""
    return 12 if length < 40 else int(0.3 * length)


def given(task: str, analysis: dict[str, Any]) -> list[str]:
    """The labels of an analysis that the test is about."""
    if task == "suicide_risk":
        return [label for label in analysis["labels"] if label == "high"]
    if task == "cognitive_pathway":
        return [label for label in analysis["labels"] if "." in label]
    return list(analysis["labels"])


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """Spans in order, those that touch or overlap made one."""
    out: Spans = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def without(text: str, spans: Spans) -> str:
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return text


def masked(text: str, spans: Spans) -> str:
    for start, end in spans:
        text = text[:start] + "某" * (end - start) + text[end:]
    return text


def elsewhere(length: int, spans: Spans, rng: random.Random) -> tuple[Spans, bool]:
    """Spans of the same lengths as `spans`, outside them and of each other. Where no such place is found: of the same
    lengths in what is left when `spans` are taken out, so that one may lie on both sides of them (the flag is then
    False); if even that is too short, all that is left."""
    lengths = sorted((end - start for start, end in spans), reverse=True)
    for _ in range(TRIES):
        taken, found = list(spans), []
        for size in lengths:
            free = [s for s in range(length - size + 1) if all(s >= b or s + size <= a for a, b in taken)]
            if not free:
                break
            start = rng.choice(free)
            found.append((start, start + size))
            taken.append((start, start + size))
        if len(found) == len(lengths):
            return merged(found), True
        if len(lengths) == 1:
            break
    left = [i for i in range(length) if not any(a <= i < b for a, b in spans)]
    size = min(sum(lengths), len(left))
    start = rng.randint(0, len(left) - size)
    return merged((i, i + 1) for i in left[start : start + size]), False


def variants(text: str, spans: Spans, rng: random.Random) -> tuple[list[str], bool]:
    """The post without its evidence and with it masked, then the same for each random set of spans."""
    drawn = [elsewhere(len(text), spans, rng) for _ in range(SETS)]
    sets = [spans, *[s for s, _ in drawn]]
    return [change(text, s) for s in sets for change in (without, masked)], all(apart for _, apart in drawn)


def probability(record: dict[str, Any], task: str, label: str) -> float | None:
    """The label's probability, None where nothing could be read."""
    if record["status"] == "error" or "error" in record["analyses"][task]:
        return None
    return record["analyses"][task]["probabilities"][label]


def outcomes(model: Any, texts: list[str], tasks: list[str], seed: int) -> list[list[dict[str, Any]]]:
    """The outcome of each label of each post."""
    found: list[list[dict[str, Any]]] = [[] for _ in texts]
    waiting: dict[str, list[tuple[dict[str, Any], list[str]]]] = defaultdict(list)
    for i, (text, record) in enumerate(zip(texts, model.analyze(texts, tasks=tasks), strict=True)):
        for task, analysis in record.get("analyses", {}).items():
            for label in given(task, analysis) if "error" not in analysis else []:
                evidence = [e for e in analysis["evidence"] if e["label"] == label]
                spans = merged((e["start"], e["end"]) for e in evidence)
                size = sum(end - start for start, end in spans)
                row = {
                    "task": task, "label": label, "before": analysis["probabilities"][label], "characters": size,
                    "over_limit": size > limit_of(len(text)),
                    "inexact": sum(text[e["start"] : e["end"]] != e["quote"] for e in evidence),
                }  # fmt: skip
                found[i].append(row)
                if not spans or not without(text, spans).strip():
                    row["untested"] = "no evidence" if not spans else "nothing is left without the evidence"
                    continue
                rng = random.Random(f"{seed} {label} {text}")
                texts_of_row, row["apart"] = variants(text, spans, rng)
                waiting[task].append((row, texts_of_row))
    for task, rows in waiting.items():
        records = iter(model.analyze([t for _, ts in rows for t in ts], tasks=[task]))
        for row, ts in rows:
            values = [probability(next(records), task, row["label"]) for _ in ts]
            deleted, hidden = values[0::2], values[1::2]
            row["deletion"], row["masking"] = compared(deleted), compared(hidden)
            if row["deletion"] is None or row["masking"] is None:
                row["untested"] = "nothing could be read"
    return found


def compared(values: list[float | None]) -> dict[str, float] | None:
    """The probability without the evidence, and the mean without random spans."""
    first, others = values[0], [v for v in values[1:] if v is not None]
    if first is None or not others:
        return None
    return {"evidence": first, "random": round(statistics.fmean(others), 6)}


def falls_more(row: dict[str, Any], way: str) -> bool:
    return row[way]["evidence"] < row[way]["random"]


def passes(row: dict[str, Any]) -> bool:
    return not row["over_limit"] and falls_more(row, "deletion") and falls_more(row, "masking")


def share(
    posts: list[list[dict[str, Any]]], value: Callable[[list[dict[str, Any]]], tuple[float, float]]
) -> dict[str, float]:
    """Sum over sum of what `value` gives for each post, with a 95 % interval by resampling posts."""
    import numpy as np

    pairs = np.array([value(rows) for rows in posts], float).reshape(-1, 2)
    if not len(pairs) or not pairs[:, 1].sum():
        return {}
    draws = np.random.default_rng(0).integers(0, len(pairs), (1000, len(pairs)))
    each = pairs[draws].sum(1)
    low, high = np.quantile(each[:, 0] / np.maximum(each[:, 1], 1), [0.025, 0.975])
    total = pairs.sum(0)
    return {k: round(float(v), 4) for k, v in (("value", total[0] / total[1]), ("low", low), ("high", high))}


def summary(posts: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Shares over the labels of one task, or of one label; a post is a list of outcomes."""
    tested = [[r for r in rows if "untested" not in r] for rows in posts]
    tested = [rows for rows in tested if rows]
    rows = [r for rows in tested for r in rows]
    everything = [r for rows in posts for r in rows]
    if not rows:
        return {"labels": len(everything), "tested": 0}

    def mean(values: Iterable[float]) -> float:
        return round(statistics.fmean(values), 4)

    return {
        "posts": len(tested),
        "posts_pass": share(tested, lambda rows: (all(map(passes, rows)), 1)),
        "labels": len(everything),
        "tested": len(rows),
        "labels_pass": share(tested, lambda rows: (sum(map(passes, rows)), len(rows))),
        "by_deletion": mean(falls_more(r, "deletion") for r in rows),
        "by_masking": mean(falls_more(r, "masking") for r in rows),
        "over_limit": sum(r["over_limit"] for r in everything),
        "inexact_quotes": sum(r["inexact"] for r in everything),
        "without_room": sum(not r["apart"] for r in rows),
        "before": mean(r["before"] for r in rows),
        **{way: {k: mean(r[way][k] for r in rows) for k in ("evidence", "random")} for way in ("deletion", "masking")},
    }


def report(done: list[list[dict[str, Any]]], tasks: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for task in tasks:
        posts = [own for rows in done if (own := [r for r in rows if r["task"] == task])]
        labels = sorted({r["label"] for rows in posts for r in rows})
        each = {label: summary([[r for r in rows if r["label"] == label] for rows in posts]) for label in labels}
        out[task] = summary(posts) | {
            "untested": sum("untested" in r for rows in posts for r in rows),
            "by_label": {k: {"tested": v["tested"], "pass": v.get("labels_pass", {})} for k, v in each.items()},
        }
    return out


def journal(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What an earlier call has done, by the hash of the post; a line that was cut off is left out."""
    done: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        done[row["post"]] = row["labels"]
    return done


def batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--input", help="posts, in any format of mentalglm; without it the invented posts of the package")
    add("--text-column", default="text")
    add("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "deletion.json")
    add("--limit", type=int, help="only so many posts, drawn at random")
    add("--task", choices=TASKS, action="append", help="only this task; may be repeated")
    add("--threads", type=int)
    add("--seed", type=int, default=0)
    call = parser.parse_args()
    tasks = [t for t in TASKS if t in (call.task or TASKS)]
    import mentalglm
    from mentalglm.rows import read
    from mentalglm.schema import Post

    if call.input:
        texts = [row.text for row in read(call.input, call.text_column, None) if isinstance(row, Post)]
    else:
        texts = [row["text"] for row in systems.invented()]
    texts = list(dict.fromkeys(t for t in texts if t.strip()))
    if call.limit is not None and call.limit < len(texts):
        texts = random.Random(call.seed).sample(texts, call.limit)
    model = mentalglm.load("mini", threads=call.threads)
    call.out.parent.mkdir(parents=True, exist_ok=True)
    kept = call.out.with_suffix(".partial.jsonl")

    def key(text: str) -> str:
        parts = (text, model.revision, call.seed, tasks)
        return hashlib.sha256(json.dumps(parts).encode("utf-8")).hexdigest()[:32]

    done = journal(kept)
    left = [t for t in texts if key(t) not in done]
    with kept.open("a", encoding="utf-8") as f:
        for n, some in enumerate(batches(left, TOGETHER), 1):
            for text, labels in zip(some, outcomes(model, some, tasks, call.seed), strict=True):
                done[key(text)] = labels
                f.write(json.dumps({"post": key(text), "labels": labels}) + "\n")
            f.flush()
            if n % 10 == 0 or n * TOGETHER >= len(left):
                print(f"{min(n * TOGETHER, len(left)):,} of {len(left):,} posts", file=sys.stderr, flush=True)
    result = {
        "model": {"name": model.name, "revision": model.revision},
        "posts": {
            "from": Path(call.input).name if call.input else "the invented posts of the package",
            "read": len(texts),
        },
        "random_sets": SETS,
        "seed": call.seed,
        "tasks": report([done[key(t)] for t in texts], tasks),
    }
    call.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    kept.unlink()
    for task, found in result["tasks"].items():
        value = found.get("posts_pass", {})
        print(f"{task}: {found['tested']} labels tested; posts that pass: {value.get('value', 'none tested')} {value}")


if __name__ == "__main__":
    main()
