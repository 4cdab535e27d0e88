"""`mentalglm evaluate --task T --gold FILE --pred FILE … --out DIR`: predictions of any system, scored into a run folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mentalglm import runs
from mentalglm.errors import MissingError, UserError

from . import intervals, pair, scores, spaces, stored, table

SCORES, TABLES = "scores.json", "tables.md"


class Outcome(NamedTuple):
    """The exit code (1: rows of a file could not be read, or had no id), the run folder, and what to say."""

    code: int
    folder: Path
    lines: list[str]


def command(
    task: str,
    gold: Path,
    pred: Sequence[str],
    out: Path | None = None,
    *,
    seed: int = 0,
    samples: int = intervals.SAMPLES,
    group: str | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Scores the predictions `pred` against `gold` into the run folder `out` (without it `runs/evaluate-TASK-HASH`).

    pred: FILE or NAME=FILE, one a system; files of one NAME are its seeds. Without a NAME it is the file's, with its
    folder's where two are alike. group: a column of the gold whose rows are drawn together (a patient, a thread). Several
    systems are compared in pairs. Writes scores.json, tables.md and predictions.parquet.
    Raises UserError for a wrong call or files that cannot be scored, MissingError for files that are not there.
    """
    space = spaces.load(task)
    named = names(pred)
    if missing := [str(path) for path in (gold, *(path for _, path in named)) if not path.is_file()]:
        raise MissingError(f"there is no file {', '.join(missing)}", "check the names")
    if samples < 0 or seed < 0:
        raise UserError("--samples and --seed are whole numbers from 0", "leave them out")
    config = {
        "task": task,
        "seed": seed,
        "samples": samples,
        "group": group,
        "systems": [name for name, _ in named],
        "format": scores.FORMAT,
    }
    inputs = {"gold": gold} | {f"pred-{i}": path for i, (_, path) in enumerate(named, 1)}
    with runs.start(f"evaluate-{task}", config, inputs, out=out, overwrite=overwrite) as run:
        same = [name for i, (name, _) in enumerate(named, 1) if run.inputs[f"pred-{i}"] == run.inputs["gold"]]
        if run.done:
            found = json.loads((run.folder / SCORES).read_text(encoding="utf-8"))
        else:
            right = pair.read_gold(gold, space, group)
            systems: dict[str, list[pair.System]] = {}
            for name, path in named:
                systems.setdefault(name, []).append(pair.read_system(path, name, right))
            found = _write(run.folder, right, systems, samples, seed)
            run.counts |= {key: found[key] for key in ("n", "missing", "unparsed")}
    said = table.lines(found)
    said += [f"  note: {name} is the gold file itself: this says nothing of a system" for name in same]
    said.append(f"{'done' if not run.done else 'finished before'}: {run.folder / SCORES}, {run.folder / TABLES}")
    return Outcome(1 if _unread(found) else 0, run.folder, said)


def _write(
    folder: Path, gold: pair.Gold, systems: dict[str, list[pair.System]], samples: int, seed: int
) -> dict[str, Any]:
    found = scores.everything(gold, systems, samples, seed)
    stored.write(folder / stored.NAME, gold, systems)
    (folder / TABLES).write_text(table.markdown(found), encoding="utf-8")
    (folder / SCORES).write_text(_json(found), encoding="utf-8")
    return found


def _json(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def recompute(folder: Path) -> list[str]:
    """What of an evaluation's scores and tables its stored predictions do not give again; empty if nothing. For
    `mentalglm verify`, after `runs.verify`; a folder that holds no evaluation gives nothing."""
    if not (folder / SCORES).is_file() or not (folder / stored.NAME).is_file():
        return []
    try:
        old = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        samples, seed = int(old["samples"]), int(old["seed"])
    except (ValueError, KeyError, TypeError):
        return [f"{SCORES}: it cannot be read"]
    found = scores.everything(*stored.read(folder / stored.NAME), samples, seed)
    problems = [f"{SCORES}: {name} is not what {stored.NAME} gives" for name in found if found[name] != old.get(name)]
    problems += [f"{SCORES}: {name} is not of an evaluation" for name in old if name not in found]
    path = folder / TABLES
    if not path.is_file() or path.read_text(encoding="utf-8") != table.markdown(found):
        problems.append(f"{TABLES}: it is not what {stored.NAME} gives")
    return problems


def names(pred: Sequence[str]) -> list[tuple[str, Path]]:
    """The systems' names and files, of FILE or NAME=FILE; names that only the file gives are made to differ."""
    if not pred:
        raise UserError("there are no predictions", "name a file with --pred")
    given: list[tuple[str, Path]] = []
    bare: list[tuple[int, Path]] = []
    for i, text in enumerate(map(str, pred)):
        name, mark, rest = text.partition("=")
        if mark and name and rest and not Path(text).exists():
            given.append((name, Path(rest)))
        else:
            given.append((Path(text).stem, Path(text)))
            bare.append((i, Path(text)))
    count = Counter(name for name, _ in given)
    for i, path in bare:
        if count[path.stem] > 1:
            given[i] = (f"{path.absolute().parent.name}/{path.stem}", path)
    twice = [name for name, n in Counter(given[i][0] for i, _ in bare).items() if n > 1]
    if twice:
        raise UserError(
            f"two files are called {twice[0]}", "name the systems: --pred NAME=FILE; one NAME for its seeds"
        )
    return given


def _unread(found: dict[str, Any]) -> bool:
    """Whether rows of a prediction file could not be read or had no id."""
    runs_ = (one for s in (found.get("systems") or {"": found}).values() for one in (s if isinstance(s, list) else [s]))
    return any(x["code"] in ("unreadable", "no_id") for one in runs_ for x in one["problems"])
