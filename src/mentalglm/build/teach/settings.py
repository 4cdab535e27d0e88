"""What a recipe says of a remote teacher: one table, unknown keys are errors."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# Settings that no answer hangs on.
PACE = (
    "key_env", "concurrency", "rpm", "tpm", "retries", "timeout", "budget", "budget_tokens", "prices", "batch", "batch_rows",
    "batch_poll",
)  # fmt: skip
_INSIDE = (".local", ".lan", ".internal", ".home.arpa")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prices(_Strict):
    """What a million tokens cost. `cached`: input that the server has in its cache; `batch`: the share of the price
    that a batch costs."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    batch: float = Field(default=1.0, gt=0, le=1)
    currency: str = "USD"


class RemoteSettings(_Strict):
    """A server that speaks the OpenAI protocol, and how it is asked.

    `key_env` names the environment variable that holds the key (none: the server wants none); the key itself stands in
    no recipe. `country` is where the recipient keeps what it is sent; it must be named unless the server is this
    machine. `rpm` and `tpm`: requests and tokens a minute. `retries`: how often one request is repeated after a
    failure. `timeout`: seconds for one request. `budget` (in the currency of the prices) and `budget_tokens` (in and
    out) hold over all builds on one journal. `max_tokens`: of one answer. `examples`: how many of the examples that it
    is given stand in the prompt (all, where it is not set). `batch`: ask through the server's batch API, and look for
    the answers every `batch_poll` seconds.
    """

    base_url: str
    model: str = Field(min_length=1)
    key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    country: str = ""
    concurrency: int = Field(default=16, ge=1, le=1024)
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    retries: int = Field(default=5, ge=0, le=20)
    timeout: float = Field(default=120.0, gt=0)
    temperature: float | None = Field(default=0.3, ge=0, le=2)
    seed: int | None = 0
    max_tokens: int = Field(default=1500, ge=64)
    budget: float | None = Field(default=None, gt=0)
    budget_tokens: int | None = Field(default=None, gt=0)
    prices: Prices | None = None
    examples: int | None = Field(default=None, ge=0, le=40)
    batch: bool = False
    batch_rows: int = Field(default=5000, ge=1, le=50_000)
    batch_poll: float = Field(default=30.0, gt=0)

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be the http(s) address of an OpenAI-style server, such as https://HOST/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no key, query or fragment; key_env names the variable with the key")
        if parts.scheme == "http" and not _inside(parts.hostname):
            raise ValueError("must be https: posts would travel in the clear (http is for servers in your own network)")
        return value.strip().rstrip("/")

    @model_validator(mode="after")
    def _recipient(self) -> RemoteSettings:
        if not self.local and not self.country.strip():
            raise ValueError(f"country is missing: say where {self.host} keeps what it is sent")
        return self

    @property
    def host(self) -> str:
        """The host that posts are sent to, with its port where one is named."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    @property
    def local(self) -> bool:
        """Whether the server is this machine: then nothing leaves it."""
        return _loopback(str(urlsplit(self.base_url).hostname))

    @property
    def recipient(self) -> str:
        """Who is sent the posts, in words for the person who has to agree."""
        return f"{self.model} at {self.host} ({self.country.strip() or 'this machine'})"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _inside(host: str) -> bool:
    address = _address(host)
    return address.is_private if address else _loopback(host) or "." not in host or host.endswith(_INSIDE)
