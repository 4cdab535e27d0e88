"""Run folders: `runs/NAME-<hash>/` with a manifest that says what went in and what came out, and can be verified.

The hash is that of the configuration and of the inputs' bytes, so that the same call finds the same folder, and equal
inputs give equal bytes. When, where and by which command stands in `provenance.json`, outside every hash.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import UserError

MANIFEST, PROVENANCE, JOURNAL = "manifest.json", "provenance.json", ".journal"
MANIFEST_VERSION = "1"
_GONE = ": missing"
_ROWS = (".jsonl", ".ndjson")  # outputs whose lines are counted


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces, to be hashed. What JSON does not know is a UserError, not a guess."""
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"the configuration cannot be hashed: {error}", "use text, numbers, lists and tables") from None


def file_hash(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits."""
    with Path(path).open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def run_hash(name: str, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Twelve hex digits of the run's name, configuration and input hashes."""
    whole = canonical({"name": name, "config": config, "inputs": inputs})
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(slots=True)
class Run:
    """An open run: write files under `folder`, put counts into `counts`; `start` writes the manifest at the end."""

    name: str
    folder: Path
    config: dict[str, Any]
    inputs: dict[str, str]
    hash: str
    done: bool = False  # an earlier call finished this very run: nothing is left to do
    counts: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def start(
    name: str,
    config: Mapping[str, Any],
    inputs: Mapping[str, str | Path],
    *,
    out: str | Path | None = None,
    root: str | Path = "runs",
    overwrite: bool = False,
) -> Iterator[Run]:
    """Opens the folder of a run and, unless the body raises, writes its manifest and provenance.

    inputs: a name for each file that the run reads, and its path; only the name and the bytes count. out: the folder
    itself, instead of `root/name-<hash>`. If the same run is finished there, `run.done` is true and nothing is written;
    if it was stopped, or files of it are gone, the body runs on what is there. A folder of another run (a stopped one
    too), or with files that are nobody's or were changed, is a UserError unless `overwrite` empties it.
    """
    hashes = {key: file_hash(path) for key, path in sorted(inputs.items())}
    plain: dict[str, Any] = json.loads(canonical(config))
    digest = run_hash(name, plain, hashes)
    folder = Path(out) if out is not None else Path(root) / f"{name}-{digest}"
    run = Run(name, folder, plain, hashes, digest)
    if overwrite:
        _empty(folder)
    elif (folder / MANIFEST).exists():
        problems = verify(folder) if _hash_in(folder / MANIFEST) == digest else [""]
        if not problems:
            run.done = True
            yield run
            return
        if not all(p.endswith(_GONE) for p in problems):
            raise UserError(f"{folder} holds another run, or one that was changed", "name another --out, or empty it")
        (folder / MANIFEST).unlink()
    elif _files(folder) and (folder / PROVENANCE).exists() and _hash_in(folder / PROVENANCE) not in (digest, None):
        raise UserError(f"{folder} holds another run, which was stopped", "name another --out, or empty it")
    elif out is not None and folder.is_dir() and any(folder.iterdir()) and not (folder / PROVENANCE).exists():
        raise UserError(f"{folder} is not empty", "name another --out")
    _make(folder)
    began = datetime.now(UTC)
    _write_json(folder / PROVENANCE, _provenance(digest, began))  # marks the folder as ours while the run is under way
    yield run
    _write_json(folder / PROVENANCE, _provenance(digest, began, datetime.now(UTC)))
    write_manifest(run)


def write_manifest(run: Run) -> None:
    """Hashes every file of the folder into its manifest, last, so that a manifest means a finished run."""
    outputs = {key: _describe(run.folder / key) for key in _files(run.folder)}
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "name": run.name,
        "hash": run.hash,
        "config": run.config,
        "inputs": run.inputs,
        "counts": run.counts,
        "outputs": outputs,
    }
    _write_json(run.folder / MANIFEST, manifest)


def verify(folder: str | Path) -> list[str]:
    """What in a run folder, or a dataset that `build` wrote, is not as its manifest says; empty if nothing.

    Every file is hashed and its lines counted anew; files that are missing, changed or not listed are named, and so is
    a run hash that configuration and inputs do not give. A folder without a manifest is a UserError.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "name a run folder, or a dataset that `mentalglm build` wrote")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} has no {MANIFEST}", "the run was not finished, or this is no run folder") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / MANIFEST} cannot be read: {error}", "run it again") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("outputs"), dict):
        return [f"{MANIFEST}: this is no manifest of a run"]
    problems = _hash_problems(manifest)
    outputs: dict[str, Any] = manifest["outputs"]
    for key, listed in outputs.items():
        problems += _output_problems(folder, key, listed)
    problems += [f"{key}: not listed in {MANIFEST}" for key in _files(folder) if key not in outputs]
    return problems


def _hash_problems(manifest: dict[str, Any]) -> list[str]:
    name, config, inputs = (manifest.get(key) for key in ("name", "config", "inputs"))
    if not (isinstance(name, str) and isinstance(config, dict) and isinstance(inputs, dict)):
        return [f"{MANIFEST}: it has no name, config or inputs"]
    expected = run_hash(name, config, inputs)
    return [] if manifest.get("hash") == expected else [f"{MANIFEST}: its hash is not that of its config and inputs"]


def _output_problems(folder: Path, key: str, listed: Any) -> list[str]:
    relative = PurePosixPath(key)
    if relative.is_absolute() or ".." in relative.parts or not isinstance(listed, dict):
        return [f"{key}: no path inside the folder, or no description"]
    path = folder / relative
    if not path.is_file():
        return [key + _GONE]
    found = _describe(path)
    problems = [
        f"{key}: {what} is {found.get(what)}, in {MANIFEST} {value}"
        for what, value in listed.items()
        if what != "sha256" and found.get(what) != value
    ]
    if listed.get("sha256") != found["sha256"]:
        problems.append(f"{key}: its content has changed (SHA-256)")
    return problems


def _describe(path: Path) -> dict[str, Any]:
    described: dict[str, Any] = {"sha256": file_hash(path), "bytes": path.stat().st_size}
    if path.suffix in _ROWS:
        with path.open("rb") as f:
            described["rows"] = sum(1 for _ in f)
    return described


def _files(folder: Path) -> list[str]:
    """The output files, as POSIX paths in the folder, sorted: all but the manifest, the provenance, caches and the journal
    of a build, which is no part of what it made."""
    half = {f"{name}.tmp" for name in (MANIFEST, PROVENANCE)}  # what a kill left of them
    skipped, aside = {MANIFEST, PROVENANCE} | half, {"__pycache__", JOURNAL}
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return sorted(p.as_posix() for p in found if p.as_posix() not in skipped and not aside & set(p.parts))


def _hash_in(path: Path) -> str | None:
    """The run's hash in a manifest or provenance; None where it cannot be read."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return json.loads(path.read_text(encoding="utf-8")).get("hash")
    return None


def _empty(folder: Path) -> None:
    """Removes a folder that a run made; never one that is somebody else's."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MANIFEST).exists() and not (folder / PROVENANCE).exists():
        raise UserError(f"{folder} was not made by a run, and is not overwritten", "name another --out")
    shutil.rmtree(folder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot make the folder {folder}: {reason}", "name another --out") from None


def _provenance(digest: str, began: datetime, ended: datetime | None = None) -> dict[str, Any]:
    from . import __version__

    return {
        "hash": digest,
        "began": began.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds") if ended else None,
        "seconds": round((ended - began).total_seconds(), 1) if ended else None,
        "host": socket.gethostname(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "mentalglm": __version__,
        "argv": sys.argv,
    }


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)
