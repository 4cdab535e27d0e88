"""Rows of any format in, records out: JSONL, CSV, TSV, Parquet, plain text, standard input; one page of HTML."""

from __future__ import annotations

from .read import read
from .write import Writer, json_line, open_writer

__all__ = ["Writer", "json_line", "open_writer", "read"]
