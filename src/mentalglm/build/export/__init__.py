"""Writes a finished dataset: the rows in every style, the cards, the Croissant file (DESIGN, contract 4).

Directly in the folder: `train.jsonl`, `validation.jsonl`, `test.jsonl`, `dropped.jsonl`, `README.md`,
`README.zh-CN.md`, `croissant.json`, `meta.json`. Beside: `parquet/`, `alpaca/`, `imhi/`, `messages/`, `llama_factory/`.
The manifest is the run's (`runs.write_manifest`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from . import card, croissant, files, llama_factory, rows, styles
from .counts import Counts
from .fields import Fields, is_unicode
from .meta import META, Figure, Meta, Said, Source, Teacher
from .rows import FIELDS, SPLITS, messages_of

__all__ = ["FIELDS", "SPLITS", "Counts", "Figure", "Meta", "Said", "Source", "Teacher", "export", "messages_of"]

REJECTED = "export"  # the reason of rows that the export itself turns away; `detail` says why


def export(rows_: Iterable[dict[str, Any]], dropped: Iterable[dict[str, Any]], folder: Path, meta: Meta) -> Counts:
    """Writes the dataset and returns what is in it.

    rows_: finished rows with exactly `FIELDS`, in any order; one that is not so goes to `dropped.jsonl` with the reason
    `export`, among them those whose text has lone surrogates, which no UTF-8 file can hold. dropped: rows of any form,
    with their `reason`; lone surrogates in them become U+FFFD. Each iterable is read once, `dropped` after `rows_`, and
    no more than a few thousand rows are in memory. Equal rows give equal bytes. A disk that is full is a UserError.
    """
    folder = Path(folder)
    counts = Counts()
    _rows(folder, rows_, dropped, counts)
    for split in SPLITS:
        _styles(folder, split)
    files.pretty(folder / "llama_factory" / "dataset_info.json", llama_factory.dataset_info(present(counts)))
    describe(folder, FIELDS, counts, meta)
    return counts


def present(counts: Counts) -> list[str]:
    """The splits that have rows."""
    return [split for split in SPLITS if counts.rows[split]]


def describe(folder: Path, fields: Fields, counts: Counts, meta: Meta, variant: card.Variant = "full") -> None:
    """Writes what is said of the dataset: `meta.json`, both cards, and `croissant.json`, which hashes the others."""
    files.text(folder / META, meta.model_dump_json(indent=1) + "\n")
    files.text(folder / "README.md", card.write("en", fields, counts, meta, variant))
    files.text(folder / "README.zh-CN.md", card.write("zh", fields, counts, meta, variant))
    files.pretty(folder / "croissant.json", croissant.write(folder, fields, counts, meta, variant))


def _rows(folder: Path, rows_: Iterable[dict[str, Any]], dropped: Iterable[dict[str, Any]], counts: Counts) -> None:
    splits = files.Splits(folder, FIELDS)
    try:
        with files.writing(folder / "dropped.jsonl") as out:

            def drop(row: dict[str, Any]) -> None:
                counts.drop(str(row.get("reason", "")))
                out.write(rows.line(mended(row)) + "\n")

            for row in rows_:
                problems = rows.problems(row)
                if problems:
                    counts.rejected += 1
                    drop({**row, "reason": REJECTED, "detail": "; ".join(problems)})
                else:
                    counts.add(row)
                    splits.add(row)
            for row in dropped:
                drop(row)
        splits.close()
        counts.untyped = splits.untyped
    finally:
        splits.discard()


def _styles(folder: Path, split: str) -> None:
    source = folder / f"{split}.jsonl"

    def each(style: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        return map(style, files.read(source))

    files.parquet(folder / "parquet" / f"{split}.parquet", files.read(source), FIELDS)
    files.json_array(folder / "alpaca" / f"{split}.json", each(styles.alpaca))
    files.jsonl(folder / "alpaca" / f"{split}.jsonl", each(styles.alpaca))
    files.csv_table(folder / "imhi" / f"{split}.csv", ("query", "response"), each(styles.imhi))
    files.jsonl(folder / "imhi" / f"{split}.jsonl", each(styles.imhi))
    files.jsonl(folder / "messages" / f"{split}.jsonl", each(styles.messages))


def mended(value: Any) -> Any:
    """`value` with U+FFFD for every lone surrogate in it, at any depth."""
    if isinstance(value, str):
        return value if is_unicode(value) else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {mended(k): mended(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [mended(v) for v in value]
    return value
