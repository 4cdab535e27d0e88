"""Who refuses what: refusals by task, label and level, since they are not random."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .verdict import Row

_Z = 1.96


def refusal_table(rows: Iterable[Row]) -> dict[str, Any]:
    """Rows asked and refused: over all, by task, by gold label (`TASK.LABEL`, `–` where there is none; a row counts for
    each of its labels), by the annotators' level, by teacher and by mode. Each has its share with a Wilson interval at
    95 %. A row is asked if its teacher answered anything; `failed` ones are left out."""
    counts: dict[str, dict[str, list[int]]] = {
        k: {} for k in ("by_task", "by_label", "by_level", "by_teacher", "by_mode")
    }
    whole = [0, 0]
    for row in rows:
        if row.taught.status == "failed":
            continue
        refused = row.taught.status == "refused"
        task = row.item.task
        labels = [f"{task}.{k}" for k in row.item.labels] or [f"{task}.–"]
        places = [("by_task", task), ("by_teacher", row.taught.teacher), ("by_mode", row.taught.mode)]
        places += [("by_label", k) for k in labels]
        places += [("by_level", str(row.item.level))] if row.item.level is not None else []
        for cell in (whole, *(counts[table].setdefault(key, [0, 0]) for table, key in places)):
            cell[0] += 1
            cell[1] += refused
    order = {"by_level": lambda item: int(item[0])}
    tables = {
        name: {key: _cell(*cell) for key, cell in sorted(table.items(), key=order.get(name, lambda item: item[0]))}
        for name, table in counts.items()
    }
    return {"all": _cell(*whole), **tables}


def _cell(asked: int, refused: int) -> dict[str, Any]:
    low, high = wilson(refused, asked)
    share = round(refused / asked, 4) if asked else None
    return {"asked": asked, "refused": refused, "share": share, "low": low, "high": high}


def wilson(part: int, whole: int) -> tuple[float | None, float | None]:
    """Wilson's 95 % interval of a share; None twice where there is nothing to share."""
    if not whole:
        return None, None
    p, z = part / whole, _Z
    middle = (p + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * ((p * (1 - p) + z * z / (4 * whole)) / whole) ** 0.5 / (1 + z * z / whole)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)
