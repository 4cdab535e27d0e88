"""The connection to a server: bytes out, bytes in, over aiohttp.

Not the `openai` SDK: a call of it costs 4.3 ms of CPU (1.2 at its leanest, with `client.post` over aiohttp) where
aiohttp alone takes 0.4, its import takes 2 s, and what it adds, retries and typed results, is done here by our own
rules. 64 answers in 200 ms are 320 calls a second: 3.1 ms each.

A body is read to `MAX_BYTES` and no further, so that a runaway answer does not fill the memory. A redirect is not
followed: it would take posts to somebody whom nobody named. Nothing is sent that describes this machine.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from mentalglm.build.teach.settings import RemoteSettings
from mentalglm.errors import MissingError

MAX_BYTES = 256 * 1024
MEND = "pip install 'mentalglm[teacher]'"
_FILE_SECONDS = 600.0  # for a file of the batch API, which may be large


class Reply(NamedTuple):
    """A server's reply; `wait` is its Retry-After in seconds."""

    status: int
    body: bytes
    wait: float | None


class Dropped(Exception):
    """No reply: the connection failed, was dropped, or the time ran out."""


class TooLong(Exception):
    """The reply was longer than MAX_BYTES and was not read to its end."""


class Wire:
    """An open client; use `async with`. A key that is not set, or a package that is not there, is a MissingError."""

    def __init__(self, settings: RemoteSettings, environ: Mapping[str, str] = os.environ) -> None:
        self.settings = settings
        self._headers = {
            "Authorization": f"Bearer {key(settings, environ)}",
            "User-Agent": "mentalglm",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        try:
            import aiohttp
        except ImportError:
            raise MissingError("a remote teacher needs the package aiohttp", MEND) from None
        self._aiohttp: Any = aiohttp

    async def __aenter__(self) -> Wire:
        connector = self._aiohttp.TCPConnector(limit=self.settings.concurrency + 4)
        # Proxies as the environment names them, but never on the way to this machine: nothing is to leave it.
        outside = not self.settings.local
        self._session = self._aiohttp.ClientSession(connector=connector, headers=self._headers, trust_env=outside)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, path: str, body: bytes) -> Reply:
        """Sends JSON and reads the reply, whatever its status. Raises Dropped or TooLong."""
        return await self._send("POST", path, data=body, headers={"Content-Type": "application/json"})

    async def get(self, path: str, timeout: float | None = None) -> Reply:
        return await self._send("GET", path, timeout)

    async def upload(self, name: str, data: bytes) -> Reply:
        """Sends a file for the batch API."""
        form = self._aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", data, filename=name, content_type="application/jsonl")
        return await self._send("POST", "files", _FILE_SECONDS, data=form)

    async def download(self, id: str) -> AsyncIterator[bytes]:
        """The lines of a file that the server holds. A line longer than MAX_BYTES is passed over."""
        try:
            async with self._open("GET", f"files/{id}/content", _FILE_SECONDS) as response:
                if response.status != 200:
                    raise Dropped(f"file {id}: HTTP {response.status}")
                async for line in _lines(response.content.iter_any()):
                    yield line
        except (TimeoutError, self._aiohttp.ClientError, OSError) as error:
            raise Dropped(f"file {id}: the connection failed ({type(error).__name__})") from None

    def _open(self, verb: str, path: str, timeout: float | None, **more: Any) -> Any:
        seconds = timeout or self.settings.timeout
        limit = self._aiohttp.ClientTimeout(total=seconds, sock_connect=min(10.0, seconds))
        return self._session.request(
            verb, f"{self.settings.base_url}/{path}", timeout=limit, allow_redirects=False, **more
        )

    async def _send(self, verb: str, path: str, timeout: float | None = None, **more: Any) -> Reply:
        try:
            async with self._open(verb, path, timeout, **more) as response:
                pieces, size = [], 0
                async for piece in response.content.iter_any():
                    pieces.append(piece)
                    size += len(piece)
                    if size > MAX_BYTES:
                        response.close()  # and the connection with it
                        raise TooLong(f"the answer is longer than {MAX_BYTES // 1024} KiB")
                return Reply(response.status, b"".join(pieces), _wait(response.headers))
        except TimeoutError:
            raise Dropped(f"no answer in {timeout or self.settings.timeout:g} s") from None
        except (self._aiohttp.ClientError, OSError) as error:
            raise Dropped(f"the connection failed ({type(error).__name__})") from None
        except asyncio.IncompleteReadError:
            raise Dropped("the answer broke off") from None


def key(settings: RemoteSettings, environ: Mapping[str, str]) -> str:
    """The key of the server. A variable that is not set is a MissingError."""
    if settings.key_env is None:
        return "none"
    value = environ.get(settings.key_env, "").strip()
    if not value:
        raise MissingError(
            f"there is no key for {settings.host}: {settings.key_env} is not set",
            f"export {settings.key_env}=…, and start again",
        )
    return value


def read(reply: Reply) -> dict[str, Any]:
    """The object in a reply's body; empty where there is none."""
    try:
        data = json.loads(reply.body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    left, skipping = b"", False
    async for piece in pieces:
        *lines, left = (left + piece).split(b"\n")
        for line in lines:
            if line.strip() and not skipping:
                yield line
            skipping = False
        if len(left) > MAX_BYTES:
            left, skipping = b"", True
    if left.strip() and not skipping:
        yield left


def _wait(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds: a number, milliseconds, or a date."""
    if (ms := headers.get("retry-after-ms")) is not None:
        return _number(ms, 1000.0)
    value = headers.get("retry-after")
    if value is None:
        return None
    if (seconds := _number(value, 1.0)) is not None:
        return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _number(value: str, unit: float) -> float | None:
    try:
        number = float(value) / unit
    except ValueError:
        return None
    return number if 0 <= number < 1e6 else None
