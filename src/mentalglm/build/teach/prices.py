"""What tokens cost: a dated table beside this file, or the recipe's own figures."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mentalglm.build.teach.settings import Prices, RemoteSettings
from mentalglm.errors import UserError


class Priced(NamedTuple):
    """Prices and where they are from: `the recipe`, `this machine`, or the source and day in the table."""

    prices: Prices
    source: str


class Usage(NamedTuple):
    """Tokens of one answer. `cached` of the `tokens_in` were in the server's cache; `estimated`: the server said
    nothing, and they were reckoned from the characters."""

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    estimated: bool = False


def find(settings: RemoteSettings) -> Priced | None:
    """The prices of a teacher; None where they are not known. A budget in money without a price is a UserError."""
    if settings.prices is not None:
        return Priced(settings.prices, "the recipe")
    if settings.local:
        return Priced(Prices(input=0, output=0, cached=None, batch=1.0), "this machine")
    priced = _table().get((settings.host, settings.model))
    if priced is None and settings.budget is not None:
        raise UserError(
            f"no price is known of {settings.model} at {settings.host}: the budget of {settings.budget:g} cannot be kept",
            "give `prices` in the recipe (input and output, for a million tokens), or a budget_tokens",
        )
    return priced


def cost(prices: Prices | None, usage: Usage, *, batch: bool = False) -> float:
    """What an answer cost, in the currency of the prices; 0 where the prices are not known."""
    if prices is None:
        return 0.0
    cached = min(usage.cached, usage.tokens_in)
    dear = (usage.tokens_in - cached) * prices.input + usage.tokens_out * prices.output
    cheap = cached * (prices.input if prices.cached is None else prices.cached)
    return (dear + cheap) / 1e6 * (prices.batch if batch else 1.0)


@cache
def _table() -> dict[tuple[str, str], Priced]:
    data = tomllib.loads(Path(__file__).with_name("prices.toml").read_text(encoding="utf-8"))
    table = {}
    for row in data["model"]:
        prices = Prices(**{k: row[k] for k in ("input", "output", "cached", "batch", "currency") if k in row})
        for name in row["names"]:
            table[row["host"], name] = Priced(prices, f"{row['source']}; table of {data['checked']}")
    return table
