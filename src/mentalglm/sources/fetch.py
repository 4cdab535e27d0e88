"""Fetching a set from where its authors publish it, or from a mirror: resumed, verified, never a wrong file in place.

A file arrives as NAME.part beside its final name and is renamed once its SHA-256 is right. Whatever stops the transfer
leaves the part file; the same command goes on from there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, NamedTuple

from .. import __version__
from ..errors import MissingError, UserError
from .source import RAW, File, Source

TRIES = 4  # times that a transfer is begun, the first included
TIMEOUT = 30  # seconds without a byte
_BLOCK = 1 << 16
_LARGEST = 1 << 30  # bytes that a file of unknown size may have
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
Say = Callable[[str], None]


class Fetched(NamedTuple):
    """A file that is in place now. state: `there` before, `fetched`, or `unverified`: fetched, no checksum known."""

    file: File
    path: Path
    state: Literal["there", "fetched", "unverified"]


class _Again(Exception):
    """The transfer stopped; it may be begun again. The message says why."""


class _NotHere(Exception):
    """The server does not have it under this address."""


def urls(source: Source, file: File, mirror: str | None = None) -> list[str]:
    """The addresses of a file, the first to be tried first. mirror: a base in place of the authors' host, or a template
    with {repository}, {commit} and {path}."""
    base = (mirror or RAW).rstrip("/")
    template = base if "{path}" in base else source.template
    if urllib.parse.urlsplit(base).scheme not in ("http", "https"):
        raise UserError(f"{base} is no http or https address", "name a mirror such as --mirror https://host/path")
    refs = dict.fromkeys(ref for ref in (source.commit, *source.refs) if ref)
    quoted = urllib.parse.quote(file.path)
    try:
        return list(
            dict.fromkeys(
                template.format(base=base, repository=source.repository, commit=ref, path=quoted) for ref in refs
            )
        )
    except (KeyError, IndexError, ValueError):
        raise UserError(f"{base} is no template", "it may hold {repository}, {commit} and {path}") from None


def wanted(source: Source, forms: Sequence[str] | None = None) -> list[File]:
    """The published files that a fetch brings: those of the preferred form, and what is read with them. forms: these
    forms instead. Raises UserError for a form that the set does not have, and for a set that is not to be fetched."""
    if source.unfetchable:
        raise UserError(f"{source.key} cannot be fetched: {source.unfetchable}", "name your copy with --from FOLDER")
    known = tuple(dict.fromkeys(f.form for f in source.published))
    if wrong := [form for form in forms or () if form not in known]:
        raise UserError(f"{source.key} has no form {', '.join(wrong)}", f"its forms are {', '.join(known)}")
    chosen = tuple(forms or source.forms[:1])
    return [f for f in source.published if f.form in chosen or (not forms and f.role != "rows")]


def fetch(
    source: Source,
    folder: str | Path,
    mirror: str | None = None,
    say: Say = lambda line: None,
    *,
    forms: Sequence[str] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> list[Fetched]:
    """Brings the files of `source` to `folder/REPOSITORY/PATH`. `say` gets a line now and then.

    A file that no checksum is known for, and that the server does not have, is passed over with a line (some parts are
    known by form only). Raises UserError where the server has other bytes, a file of another content is in place, the
    disk is full or another fetch is under way, and MissingError where the server cannot be reached.
    """
    out: list[Fetched] = []
    for file in wanted(source, forms):
        target = Path(folder) / source.home / file.path
        state = _in_place(file, target)
        if state is None:
            try:
                state = _bring(source, file, target, urls(source, file, mirror), say, wait)
            except _NotHere as error:
                if file.sha256:
                    mend = "name a mirror that has it with --mirror URL, or a folder with a copy with --from FOLDER"
                    raise UserError(f"{file.path} of {source.key} is not at {error}", mend) from None
                say(f"{file.path}: not published there ({error})")
                continue
        say(f"{file.path}: {_STATES[state]}")
        out.append(Fetched(file, target, state))
    if not out:
        raise UserError(f"nothing of {source.key} is published there", "name a folder with a copy with --from FOLDER")
    return out


_STATES = {
    "there": "already there, checksum right",
    "fetched": "fetched, checksum right",
    "unverified": "fetched; no checksum is known for it, so that it is not verified",
}


def _in_place(file: File, target: Path) -> Literal["there"] | None:
    if not target.exists():
        return None
    if file.sha256 and not _digest(target).startswith(file.sha256):
        raise UserError(f"{target} is not the published file", "move it away (or delete it), then fetch again")
    return "there"


def _bring(
    source: Source, file: File, target: Path, addresses: list[str], say: Say, wait: Callable[[float], None]
) -> Literal["fetched", "unverified"]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _part(target.with_name(target.name + ".part")) as part:
            _transfer(file, target, addresses, part, say, wait)
            os.fsync(part.fileno())
        os.replace(target.with_name(target.name + ".part"), target)
    except OSError as error:
        raise _disk(error, target) from None
    return "fetched" if file.sha256 else "unverified"


@contextlib.contextmanager
def _part(path: Path) -> Iterator[IO[bytes]]:
    """The part file, opened at its end and held against a second fetch. An empty one is not left behind."""
    with path.open("ab") as part:
        try:
            import fcntl
        except ImportError:  # Windows
            pass
        else:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(f"another fetch is writing {path}", "wait until it is done") from None
        try:
            yield part
        finally:
            if path.stat().st_size == 0:
                path.unlink()


def _transfer(
    file: File, target: Path, addresses: list[str], part: IO[bytes], say: Say, wait: Callable[[float], None]
) -> None:
    """Fills the part file. Raises MissingError when the server stays away, _NotHere when it does not have the file."""
    if not file.sha256:
        part.truncate(0)  # of unknown content: what is there may be another version's
    asked = list(addresses)
    why = ""
    for attempt in range(TRIES):
        if attempt:
            say(f"{file.path}: {why}; once more ({attempt + 1} of {TRIES})")
            wait(min(2**attempt, 20))
        while asked:
            try:
                _verify(file, asked[0], part, resumed=_get(asked[0], file, part))
            except _NotHere:
                asked.pop(0)
                continue
            except _Again as error:
                why = str(error)
                break
            return
        if not asked:
            raise _NotHere(addresses[0])
    kept = part.seek(0, os.SEEK_END)
    host = urllib.parse.urlsplit(asked[0]).netloc
    rest = f"; the {kept} bytes that have arrived are kept, and the same command goes on from there" if kept else ""
    raise MissingError(
        f"{file.path} could not be fetched from {host}: {why}{rest}",
        f"check the network, name a mirror with --mirror URL, or put the file at {target} yourself",
    )


def _get(url: str, file: File, part: IO[bytes]) -> bool:
    """One request. What arrives is appended to `part`; returns when the file is whole: whether it was there in part."""
    have = part.seek(0, os.SEEK_END)
    if file.bytes is not None and have >= file.bytes:
        if have == file.bytes and _digest(Path(part.name)).startswith(file.sha256):
            return True
        part.truncate(0)
        have = 0
    headers = {"User-Agent": f"mentalglm/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            return _receive(answer, file, part, have)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part is longer than the file: it is another one
            part.truncate(0)
            raise _Again("what had arrived did not fit the file there") from None
        if error.code in (404, 410):
            raise _NotHere(url) from None
        if error.code in _AGAIN:
            raise _Again(f"the server answers {error.code}") from None
        mend = "name another server with --mirror URL, or a folder with a copy with --from FOLDER"
        raise UserError(f"{url} answers {error.code} {error.reason}", mend) from None
    except (TimeoutError, urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise _Again(
            f"no connection ({reason})" if isinstance(error, urllib.error.URLError) else _broke(reason)
        ) from None


def _broke(reason: object) -> str:
    return f"the connection broke ({str(reason) or type(reason).__name__})"


def _receive(answer: http.client.HTTPResponse, file: File, part: IO[bytes], have: int) -> bool:
    resumed = bool(have)
    if have:
        span = answer.headers.get("Content-Range", "")
        if answer.status != 206 or not span.startswith(f"bytes {have}-"):  # it sends the whole file
            part.truncate(0)
            have, resumed = 0, False
            if answer.status == 206:
                raise _Again("the server sent another range than asked for")
    length = answer.headers.get("Content-Length", "")
    expected = have + int(length) if length.isdigit() else None
    limit = file.bytes if file.bytes is not None else _LARGEST
    while block := answer.read(_BLOCK):
        have += len(block)
        if have > limit:
            part.truncate(0)
            raise UserError(f"{answer.url} sends more than the {limit} bytes of {file.name}", "name another --mirror")
        part.write(block)
    part.flush()
    short = expected if expected is not None else file.bytes
    if short is not None and have < short:
        raise _Again(f"the connection broke after {have} of {short} bytes")
    return resumed


def _verify(file: File, url: str, part: IO[bytes], *, resumed: bool) -> None:
    """Empties the part file where its bytes are not the published ones, and raises UserError; where an earlier call had
    left some of them, which may be the wrong ones, the transfer is begun anew."""
    part.flush()
    if not file.sha256 or (digest := _digest(Path(part.name))).startswith(file.sha256):
        return
    part.truncate(0)
    if resumed:
        raise _Again("what had arrived before did not fit")
    raise UserError(
        f"{url} has other bytes than published: SHA-256 {digest[:16]}…, not {file.sha256[:16]}…; nothing was kept",
        "name another server with --mirror URL",
    )


def _digest(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _disk(error: OSError, target: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"the disk is full: {target} cannot be written", "make room, then run the same command again")
    why = (error.strerror or str(error)).lower()
    return UserError(f"{target} cannot be written: {why}", "name another folder")
