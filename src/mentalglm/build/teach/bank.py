"""Examples that a teacher is shown: those that ship (invented, written by the project) or experts' own.

One JSONL a task: {"text", "answer": {"evidence", "explanation", "labels", …}}, optionally "id" and "author".
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mentalglm.errors import UserError
from mentalglm.tasks import load
from mentalglm.tasks.answer import Unparsed, parse

FOLDER = Path(__file__).with_name("examples")


def examples(task: str, folder: Path | None = None) -> list[dict[str, Any]]:
    """Every example of a task. Raises UserError that names a line which is no valid example."""
    path = (folder or FOLDER) / f"{task}.jsonl"
    if not path.is_file():
        raise UserError(f"there is no example bank {path}", "write one example a line, or leave out teach.bank")
    out = []
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, answer = row["text"], row["answer"]
            found = parse(load(task), json.dumps(answer, ensure_ascii=False), text)
        except (ValueError, KeyError, TypeError, Unparsed) as error:
            raise UserError(f"{path}, line {n}: no example: {error}", "mend that line") from None
        if found.dropped_quotes:
            raise UserError(f"{path}, line {n}: a quote is not in the text", "quote it verbatim")
        out.append(row)
    return out


def chosen(task: str, count: int, folder: Path | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """`count` examples with as many different labels as may be, the same for every post: a prompt's stable beginning is
    what servers keep in their cache."""
    every = sorted(
        examples(task, folder),
        key=lambda e: hashlib.sha256(f"{seed}:{e['text']}".encode("utf-8", "surrogatepass")).hexdigest(),
    )
    out: list[dict[str, Any]] = []
    seen: set[str] = set()
    while every and len(out) < count:
        best = max(every, key=lambda e: len(set(_kinds(e)) - seen))
        every.remove(best)
        out.append(best)
        seen |= set(_kinds(best))
    return out


def _kinds(example: dict[str, Any]) -> list[str]:
    answer = example["answer"]
    return [*(answer.get("labels") or ["none"]), *([answer["expression"]] if answer.get("expression") else [])]
