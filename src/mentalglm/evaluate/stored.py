"""The matched predictions of a run, in one Parquet file: what its scores can be computed from again, without posts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mentalglm.errors import UserError

from . import spaces
from .answers import Said, bits
from .pair import Gold, Problems, System, assemble, matrix
from .spaces import Space

if TYPE_CHECKING:
    import pyarrow

NAME = "predictions.parquet"
_META = b"mentalglm.evaluate"


def write(path: Path, gold: Gold, systems: dict[str, list[System]]) -> None:
    """A row a gold id: `id`, `group`, `gold.labels` and for the systems, in order, `0.status` (0 usable, 1 missing, 2
    unparsed), `0.labels`, `0.abstained`, `0.p.LABEL`; of the pathway also sentences or summaries, as JSON."""
    import pyarrow
    import pyarrow.parquet

    space = gold.space
    columns: dict[str, Any] = {"id": gold.ids}
    if gold.groups is not None:
        columns["group"] = gold.groups
    columns |= {f"gold.{name}": value for name, value in _answers(space, gold.said).items()}
    flat = [(name, system) for name, runs in systems.items() for system in runs]
    for i, (_, system) in enumerate(flat):
        columns |= {f"{i}.status": system.status, f"{i}.abstained": system.abstained}
        columns |= {f"{i}.{name}": value for name, value in _answers(space, system.said).items()}
        if system.p is not None:
            columns |= {
                f"{i}.p.{key}": pyarrow.array(system.p[:, k], from_pandas=True) for k, key in enumerate(space.keys)
            }
    meta = {
        "task": space.name,
        "gold": _told(gold.problems),
        "synthetic": gold.synthetic,
        "systems": [{"system": name, "name": system.name, "problems": _told(system.problems)} for name, system in flat],
    }
    table = pyarrow.table(columns).replace_schema_metadata({_META: json.dumps(meta, ensure_ascii=False).encode()})
    pyarrow.parquet.write_table(table, path, compression="zstd")


def read(path: Path) -> tuple[Gold, dict[str, list[System]]]:
    """Gold and systems as they were written. Raises UserError for a file that is none of ours."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        meta = json.loads((table.schema.metadata or {})[_META])
    except (OSError, KeyError, ValueError, pyarrow.ArrowException):
        raise UserError(f"{path} holds no predictions that `evaluate` stored", "run the evaluation again") from None
    space = spaces.load(meta["task"])
    said = [one or Said(0) for one in _read_answers(table, space, "gold")]
    groups = table["group"].to_numpy() if "group" in table.column_names else None
    labels = matrix([one.mask for one in said], space)
    gold = Gold(space, table["id"].to_pylist(), labels, groups, said, _problems(meta["gold"]), meta["synthetic"])
    systems: dict[str, list[System]] = {}
    for i, one in enumerate(meta["systems"]):
        status = table[f"{i}.status"].to_numpy().astype(np.int8)
        answers = _read_answers(table, space, str(i))
        system = assemble(one["name"], answers, status, space, _problems(one["problems"]))
        systems.setdefault(one["system"], []).append(system)
    return gold, systems


def _answers(space: Space, said: list[Said | None] | list[Said]) -> dict[str, list[str | None]]:
    """Columns of answers, null where there is none."""
    if space.kind == "summary":
        return {"summary": [None if x is None else _json(x.summary) for x in said]}
    known = {
        mask: "|".join(k for i, k in enumerate(space.keys) if mask >> i & 1) for mask in {x.mask for x in said if x}
    }
    out: dict[str, list[str | None]] = {"labels": [None if x is None else known[x.mask] for x in said]}
    if any(x is not None and x.sentences is not None for x in said):
        out["sentences"] = [None if x is None or x.sentences is None else _json(x.sentences) for x in said]
    return out


def _read_answers(table: pyarrow.Table, space: Space, of: str) -> list[Said | None]:
    columns = {name: table[f"{of}.{name}"].to_pylist() for name in ("labels", "sentences", "summary", "abstained")
               if f"{of}.{name}" in table.column_names}  # fmt: skip
    n = table.num_rows
    none = [None] * n
    if space.kind == "summary":
        return [None if x is None else Said(0, summary=tuple(json.loads(x))) for x in columns["summary"]]
    p: list[Any] = none
    if f"{of}.p.{space.keys[0]}" in table.column_names:
        values = np.stack([table[f"{of}.p.{key}"].to_numpy() for key in space.keys], 1)
        p = [None if row[0] != row[0] else tuple(row) for row in values.tolist()]
    bit = bits(space)
    known = {
        text: sum(1 << space.keys.index(k) for k in text.split("|") if k) for text in set(columns["labels"]) - {None}
    }
    assert all(mask | bit[k] == mask for text, mask in known.items() for k in text.split("|") if k)
    return [
        None
        if labels is None
        else Said(
            known[labels],
            row_p,
            bool(abstained),
            None if sentences is None else tuple((a, b, m) for a, b, m in json.loads(sentences)),
        )
        for labels, row_p, abstained, sentences in zip(
            columns["labels"], p, columns.get("abstained", none), columns.get("sentences", none), strict=True
        )
    ]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _told(problems: Problems) -> dict[str, Any]:
    return {"counts": dict(problems.counts), "examples": problems.examples}


def _problems(told: dict[str, Any]) -> Problems:
    return Problems(Counter(told["counts"]), told["examples"])
