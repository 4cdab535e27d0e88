"""What the manifest of a dataset counts, counted anew from its files; for `mentalglm verify`."""

from __future__ import annotations

import json
from pathlib import Path

from mentalglm.build.export import Counts, files
from mentalglm.build.export.rows import SPLITS
from mentalglm.runs import MANIFEST

ROWS = ("rows", "tasks", "labels", "sources", "teachers", "licences", "verdicts")


def recount(folder: Path) -> list[str]:
    """Counts of the manifest that the files do not give; empty if all do, or if the folder holds no dataset."""
    found = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("counts")
    if not isinstance(found, dict) or "tasks" not in found or not (folder / "train.jsonl").is_file():
        return []
    counts = Counts()
    splits: dict[str, set[str]] = {}
    for split in SPLITS:
        for row in files.read(folder / f"{split}.jsonl"):
            counts.add(row)
            splits.setdefault(row["key"], set()).add(split)
    for row in files.read(folder / "dropped.jsonl"):
        counts.drop(str(row.get("reason", "")))
    given = counts.as_dict()
    problems = [f"{MANIFEST}: its {name} are not those of the files" for name in ROWS if found.get(name) != given[name]]
    if found.get("dropped") != given["dropped"]:
        problems.append(f"{MANIFEST}: its dropped rows are not those of dropped.jsonl")
    twice = sum(len(s) > 1 for s in splits.values())
    if "across_splits" in found and found["across_splits"] < twice:
        problems.append(f"{MANIFEST}: {twice} posts stand in two splits, not {found['across_splits']}")
    if (folder / "leakage.json").is_file():
        said = json.loads((folder / "leakage.json").read_text(encoding="utf-8")).get("across_splits")
        if said != found.get("across_splits"):
            problems.append(f"{MANIFEST}: across_splits is not that of leakage.json")
    return problems
