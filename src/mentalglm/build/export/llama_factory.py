"""`dataset_info.json` of LLaMA-Factory: point its `dataset_dir` at the folder `llama_factory` of the dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


def entry_name(style: str, split: str) -> str:
    """The name of an entry, as LLaMA-Factory's `dataset` takes it: `mentalglm_messages_train`."""
    return f"mentalglm_{style}_{split}"


def dataset_info(splits: Iterable[str]) -> dict[str, Any]:
    """Entries for `splits` in both styles; paths are relative to the folder that holds the file."""
    out: dict[str, Any] = {}
    for split in splits:
        out[entry_name("messages", split)] = {
            "file_name": f"../messages/{split}.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": _TAGS,
        }
        out[entry_name("alpaca", split)] = {
            "file_name": f"../alpaca/{split}.json",
            "formatting": "alpaca",
            "columns": {"prompt": "instruction", "query": "input", "response": "output"},
        }
    return out
