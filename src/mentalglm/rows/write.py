"""Records into a file: JSONL as they are, CSV and Parquet as one row a post, HTML as one page to read."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import UserError
from ..schema import BadRow, Post, Record

_BUFFERED = 1000  # rows that are seen before the columns are fixed; also a row group of Parquet
_SURROGATE = re.compile("[\ud800-\udfff]")


class Writer(Protocol):
    """Takes records in order; `close` must be called for the output to be whole."""

    def write(self, record: Record, post: Post | BadRow) -> None: ...

    def close(self) -> None: ...


def open_writer(path: str | Path | None, format: str) -> Writer:
    """A writer of `format` (jsonl, csv, parquet, html) to `path`; None is standard output, for jsonl and csv only."""
    if format == "html":
        from ..pages.report import HtmlWriter

        return HtmlWriter(_needed(path, format))
    if format == "parquet":
        return _Table(_ParquetFile(_needed(path, format)))
    if format not in ("jsonl", "csv"):
        raise UserError(f"cannot write {format!r}", "end the output in .jsonl, .csv, .parquet or .html")
    stream = sys.stdout.buffer if path is None else Path(path).open("wb")  # noqa: SIM115 (closed by `close`)
    return _Jsonl(stream) if format == "jsonl" else _Table(_CsvFile(stream))


def _needed(path: str | Path | None, format: str) -> Path:
    if path is None:
        raise UserError(f"{format} cannot go to standard output", f"name a file: --output analyses.{format}")
    return Path(path)


def json_line(value: Mapping[str, Any]) -> bytes:
    """One JSON line in UTF-8. A lone surrogate, which UTF-8 cannot hold, is written as its escape and survives."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=True, default=str).encode() + b"\n"


class _Jsonl:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, record: Record, post: Post | BadRow) -> None:
        self._stream.write(json_line(record))

    def close(self) -> None:
        _close(self._stream)


# ---- tables


class _File(Protocol):
    def begin(self, columns: dict[str, type]) -> None: ...

    def rows(self, rows: list[dict[str, Any]]) -> None: ...

    def close(self) -> None: ...


class _Table:
    """Rows in groups. The columns are those of the first thousand records, or of all tasks if none of these is ok."""

    def __init__(self, file: _File) -> None:
        self._file, self._waiting = file, list[tuple[Record, Post | BadRow]]()
        self._tasks: list[str] = []
        self._extra: dict[str, str] = {}  # the input's columns, under the names that they have in the output
        self._begun = self._warned = False

    def write(self, record: Record, post: Post | BadRow) -> None:
        self._waiting.append((record, post))
        if len(self._waiting) >= _BUFFERED:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if not self._begun:
            self._begin()
        rows = [flat(record, post, self._tasks, self._extra) for record, post in self._waiting]
        if not self._warned and any(post.extra.keys() - self._extra.keys() for _, post in self._waiting):
            self._warned = True
            warnings.warn("some rows have columns that the first thousand had not; these are left out", stacklevel=2)
        self._waiting.clear()
        self._file.rows(rows)

    def _begin(self) -> None:
        from .. import tasks

        self._begun = True
        found = {name for record, _ in self._waiting for name in record.get("analyses", {})}
        self._tasks = [name for name in tasks.NAMES if name in found] or list(tasks.NAMES)
        own = columns(self._tasks)
        for _, post in self._waiting:
            for name in post.extra:
                if name not in self._extra:
                    self._extra[name] = f"input.{name}" if name in own else _whole(name)
        head: dict[str, type] = {"id": own.pop("id"), "text": own.pop("text")}
        head.update(dict.fromkeys(self._extra.values(), str))
        self._file.begin(head | own)


def columns(tasks: Iterable[str]) -> dict[str, type]:
    """The columns of a table of records and their types, without the input's own."""
    from ..tasks import load

    out: dict[str, type] = {"id": str, "text": str, "status": str, "error.code": str, "error.message": str}
    for name in tasks:
        task = load(name)
        out |= {f"{name}.labels": str} | {f"{name}.p.{key}": float for key in task.keys}
        out |= {f"{name}.evidence": str, f"{name}.explanation": str, f"{name}.abstained": bool}
        if name == "suicide_risk":
            out |= {f"{name}.level": int, f"{name}.expression": str, f"{name}.subject": str}
            out |= {f"{name}.past_attempt": bool}
        if task.kind == "sentence":
            out |= {f"{name}.sentences": str, f"{name}.measured_on": str}
        out |= {f"{name}.dropped_quotes": int, f"{name}.notes": str, f"{name}.error": str}
    return out | {"notes": str, "model.name": str, "model.revision": str, "schema_version": str}


def flat(record: Record, post: Post | BadRow, tasks: Iterable[str], extra: Mapping[str, str]) -> dict[str, Any]:
    """A record as one row: labels joined by `|`, what is nested as JSON, what is missing absent."""
    row: dict[str, Any] = {"id": record["id"]}
    if isinstance(post, Post):
        row["text"] = post.text
    row |= {extra[name]: _cell(value) for name, value in post.extra.items() if name in extra}
    row["status"] = record["status"]
    if error := record.get("error"):
        row |= {"error.code": error["code"], "error.message": error["message"]}
    for name in tasks:
        if analysis := record.get("analyses", {}).get(name):
            row |= {f"{name}.{key}": value for key, value in _flat_analysis(analysis).items()}
    row |= {f"model.{key}": value for key, value in record.get("model", {}).items()}
    row["schema_version"] = record["schema_version"]
    if record.get("notes"):
        row["notes"] = "|".join(record["notes"])
    return row


def _flat_analysis(analysis: Mapping[str, Any]) -> dict[str, Any]:
    if "error" in analysis:
        return {"error": f"{analysis['error']['code']}: {analysis['error']['message']}"}
    out: dict[str, Any] = {"labels": "|".join(analysis["labels"])}
    out |= {f"p.{key}": value for key, value in (analysis["probabilities"] or {}).items()}
    for key in ("explanation", "abstained", "level", "expression", "subject", "past_attempt", "measured_on"):
        if analysis.get(key) is not None:
            out[key] = analysis[key]
    out["evidence"] = _json(_once(analysis["evidence"]))
    if "sentences" in analysis:
        out["sentences"] = _json(analysis["sentences"])
    if analysis.get("dropped_quotes"):
        out["dropped_quotes"] = analysis["dropped_quotes"]
    if analysis.get("notes"):
        out["notes"] = "|".join(analysis["notes"])
    return out


def _once(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Evidence without what a parent label only repeats of its child: the child's name says both."""
    children = {(e["label"].split(".")[0], e["start"], e["end"]) for e in evidence if "." in e["label"]}
    return [e for e in evidence if (e["label"], e["start"], e["end"]) not in children]


def _whole(value: str) -> str:
    """The text with U+FFFD for each lone surrogate, which UTF-8 cannot hold: offsets stay right."""
    return _SURROGATE.sub("\ufffd", value)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return _json(value) if isinstance(value, list | dict | bool) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


class _CsvFile:
    """UTF-8 without a mark, rows ended by CRLF; a lone surrogate stands as U+FFFD."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._text = io.TextIOWrapper(stream, "utf-8", newline="")
        self._names: list[str] = []

    def begin(self, columns: dict[str, type]) -> None:
        self._names = list(columns)
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow(self._names)

    def rows(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self._writer.writerow([_csv_cell(row.get(name)) for name in self._names])

    def close(self) -> None:
        self._text.flush()
        self._text.detach()
        _close(self._stream)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _whole(value) if isinstance(value, str) else value


class _ParquetFile:
    """Row groups of 1,000 rows; typed where the type is ours, text where it is the input's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None
        path.open("wb").close()  # an error of the place is told before anything is analysed

    def begin(self, columns: dict[str, type]) -> None:
        import pyarrow
        import pyarrow.parquet

        kinds = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int64(), bool: pyarrow.bool_()}
        self._schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
        self._text = [name for name, kind in columns.items() if kind is str]
        self._writer = pyarrow.parquet.ParquetWriter(self._path, self._schema, compression="zstd")

    def rows(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow

        for row in rows:
            for name in self._text:
                if (value := row.get(name)) is not None:
                    row[name] = _whole(value)
        if rows:
            self._writer.write_table(pyarrow.Table.from_pylist(rows, self._schema))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _close(stream: BinaryIO) -> None:
    stream.flush()
    if stream is not getattr(sys.stdout, "buffer", None):
        stream.close()
