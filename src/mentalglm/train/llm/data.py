"""The rows that a run trains on, by stage: read, cut into training and validation, never a test row among them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mentalglm.errors import MissingError, UserError
from mentalglm.text import content_key

from . import forms
from .recipe import Recipe, SourcePart, Stage

SHIPPED = Path(__file__).parents[2] / "datasets"
SPLITS = ("train", "validation")


@dataclass(frozen=True, slots=True)
class Row:
    """One exchange. `key` is the content key of the post: what is in validation under it trains nowhere."""

    id: str
    task: str
    key: str
    user: str
    answer: str


class Mixed(NamedTuple):
    """The rows of one source, and how often an epoch sees each on average."""

    rows: list[Row]
    weight: float


@dataclass(slots=True)
class StageData:
    """What a stage trains on (its own sources; earlier ones to be replayed) and is checked by."""

    train: list[Mixed]
    validation: list[Row]
    replay: list[Mixed] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)


def inputs(recipe: Recipe, folder: Path | None) -> dict[str, Path]:
    """Every file that a run reads, by a name that is the same on every machine. Raises MissingError."""
    found: dict[str, Path] = {}
    for part in (p for stage in recipe.stages for p in stage.sources):
        for name in part.imhi:
            from mentalglm.sources import catalogue, find

            found |= find.inputs(catalogue.load(f"imhi_{name.lower()}"), folder)
        if not part.imhi:
            home = _home(part, folder)
            found |= {f"{part.shipped or part.dataset}/{f.name}": f for f in _files(home)}
    return found


def load(recipe: Recipe, folder: Path | None) -> list[StageData]:
    """The rows of every stage. A post that is in the validation part of any stage leaves the training of all."""
    read = [[(part, _part(part, stage, folder)) for part in stage.sources] for stage in recipe.stages]
    held: set[str] = set()
    validations: list[list[Row]] = []
    for stage, parts in zip(recipe.stages, read, strict=True):
        rows = [r for _, split in parts for r in split["validation"]]
        if not rows:
            rows = [r for _, split in parts for r in split["train"] if _cut(r.key, recipe.seed, stage.validation)]
        if not rows:
            raise UserError(
                f"stage {stage.name} has no rows to validate on", "give it more rows, or a larger validation"
            )
        validations.append(rows)
        held |= {r.key for r in rows}
    out: list[StageData] = []
    for stage, parts, validation in zip(recipe.stages, read, validations, strict=True):
        train = [Mixed([r for r in split["train"] if r.key not in held], part.weight) for part, split in parts]
        if not any(m.rows for m in train):
            raise UserError(f"stage {stage.name} has no rows to train on", "look at its sources")
        replay = [m for earlier in out for m in earlier.train] if stage.replay else []
        counts = {
            "train": sum(len(m.rows) for m in train),
            "validation": len(validation),
            "in_validation_elsewhere": sum(r.key in held for _, s in parts for r in s["train"]),
            "tasks": dict(sorted(Counter(r.task for m in train for r in m.rows).items())),
        }
        out.append(StageData(train, validation, replay, counts))
    return out


def _part(part: SourcePart, stage: Stage, folder: Path | None) -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = {}
    for split in SPLITS:
        rows = _imhi(part.imhi, split, folder) if part.imhi else _dataset(_home(part, folder), split)
        kept = [r for r in rows if not part.tasks or r["task"] in part.tasks]
        if part.limit and part.limit < len(kept):
            kept = [kept[k * len(kept) // part.limit] for k in range(part.limit)]
        out[split] = [_row(r, stage) for r in kept]
    if not any(out.values()):
        raise UserError(f"a source of stage {stage.name} gives no rows", "look at its tasks and its files")
    return out


def _row(row: dict[str, Any], stage: Stage) -> Row:
    user, answer = (m["content"] for m in row["messages"])
    user, answer = forms.apply(stage.answer, row["task"], user, answer)
    return Row(row["id"], row["task"], row["key"], user, answer)


def _dataset(home: Path, split: str) -> Iterator[dict[str, Any]]:
    """Rows of a split that `build` wrote. Files of messages alone will do: a key and a task are then made."""
    path = home / f"{split}.jsonl"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="\n") as f:
        for number, line in enumerate(f, 1):
            try:
                row = json.loads(line)
                roles = [m["role"] for m in row["messages"]]
                if roles != ["user", "assistant"]:
                    raise ValueError(f"its roles are {', '.join(roles)}, not user, assistant")
                user = row["messages"][0]["content"]
                made = {"id": f"{split}-{number}", "task": "", "key": content_key(row.get("text") or user)}
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{path}, line {number}: {error}", "build the dataset again") from None
            if row.get("split", split) != split:
                raise UserError(f"{path}, line {number}: a row of the split {row['split']}", "build the dataset again")
            yield made | row


def _imhi(names: Sequence[str], split: str, folder: Path | None) -> Iterator[dict[str, Any]]:
    """Rows of the published IMHI sets, in IMHI's own grammar (Yang et al., arXiv 2309.13567)."""
    from mentalglm.sources import catalogue, find
    from mentalglm.tasks.answer import ask_imhi

    for name in names:
        for r in find.read(catalogue.load(f"imhi_{name.lower()}"), folder).rows:
            if r.part == split and r.question and r.answer:
                asked = ask_imhi(r.text, r.question)
                turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": r.answer}]
                yield {"id": r.id, "task": r.task, "key": content_key(r.text), "messages": turns}


def _home(part: SourcePart, folder: Path | None) -> Path:
    if part.shipped:
        return SHIPPED / part.shipped
    named = Path(part.dataset or "")
    places = [named] if named.is_absolute() else [*([folder / named] if folder else []), named]
    for place in places:
        if (place / "train.jsonl").is_file():
            return place
    raise MissingError(
        f"no dataset at {part.dataset}", "build it: mentalglm build recipes/c_imhi.toml --from FOLDER --out runs/c-imhi"
    )


def _files(home: Path) -> list[Path]:
    return [home / f"{split}.jsonl" for split in SPLITS if (home / f"{split}.jsonl").is_file()]


def _cut(key: str, seed: int, share: float) -> bool:
    """Whether a post goes to validation: by its key, so that its copies go together."""
    return int(hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()[:8], 16) < share * 2**32
