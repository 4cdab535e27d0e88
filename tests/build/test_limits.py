"""Pace and budget: never more than was allowed, and no less than could be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mentalglm.build.teach import prices
from mentalglm.build.teach.limits import Budget, Gate, Guess, Pace
from mentalglm.build.teach.prices import Usage
from mentalglm.build.teach.settings import Prices, RemoteSettings
from mentalglm.errors import UserError


@given(st.integers(1, 5000), st.lists(st.floats(0, 5), min_size=1, max_size=300))
def test_no_minute_has_more_than_it_may(rpm: int, gaps: list[float]) -> None:
    pace, now, sent = Pace(rpm), 0.0, []
    for gap in gaps:
        now += gap * 60 / rpm
        sent.append(now + pace.reserve(1, now))
    assert sent == sorted(sent)
    for first, start in enumerate(sent):
        within = sum(1 for t in sent[first:] if t < start + 60 - 1e-6)
        assert within <= rpm


def test_the_pace_is_nearly_what_is_allowed() -> None:
    pace = Pace(600)
    last = max(pace.reserve(1, 0.0) for _ in range(6000))
    assert 600 <= last <= 640  # ten minutes' worth


def test_tokens_are_corrected_when_they_are_known() -> None:
    pace = Pace(6000)
    pace.reserve(6000, 0.0)
    late = pace.reserve(0, 0.0)
    pace.correct(-5900)
    assert pace.reserve(0, 0.0) < late / 20


def test_a_closed_gate_lets_nobody_through() -> None:
    async def go() -> float:
        gate = Gate(None, None)
        gate.close(0.2)
        before = asyncio.get_running_loop().time()
        await asyncio.gather(*(gate.through(1) for _ in range(3)))
        return asyncio.get_running_loop().time() - before

    assert 0.15 < asyncio.run(go()) < 2


@given(st.lists(st.tuples(st.floats(0.01, 3), st.floats(0, 1)), max_size=60), st.floats(0.1, 20))
def test_the_budget_holds_while_estimates_do(asked: list[tuple[float, float]], most: float) -> None:
    budget, held = Budget(money=most), []
    for estimate, share in asked:
        if budget.take(estimate, 0):
            held.append((estimate, estimate * share))
        if len(held) > 3:
            estimate, cost = held.pop(0)
            budget.settle(estimate, 0, cost)
    for estimate, cost in held:
        budget.settle(estimate, 0, cost)
    assert budget.spent <= most + 1e-9
    assert budget.take(most - budget.spent - 1e-6, 0) or budget.spent > most - 1e-5


def test_tokens_have_a_budget_of_their_own() -> None:
    budget = Budget(tokens=100)
    assert budget.take(0, 60)
    assert not budget.take(0, 60)
    budget.settle(0, 60, 0, 30)
    assert budget.take(0, 60)
    assert "30 of 100 tokens" in budget.words


def test_a_guess_learns() -> None:
    guess = Guess()
    assert guess.tokens(1000, 500) == (1000, 500)
    guess.learn(1000, 600, 200)
    assert guess.tokens(2000, 500) == (1200, 200)


def _settings(**more: Any) -> RemoteSettings:
    return RemoteSettings(
        **{"base_url": "https://api.deepseek.com/v1", "model": "deepseek-flash", "country": "China", **more}
    )


def test_cost_is_by_the_table_or_the_recipe() -> None:
    table = prices.find(_settings())
    assert table is not None
    assert "table of 20" in table.source
    assert prices.cost(table.prices, Usage(1_000_000, 1_000_000, 0)) == table.prices.input + table.prices.output
    own = Prices(input=10, output=20, cached=1, batch=0.5, currency="CNY")
    assert prices.find(_settings(prices=own)) == (own, "the recipe")
    assert prices.cost(own, Usage(100_000, 10_000, 50_000)) == pytest.approx(0.5 + 0.05 + 0.2)
    assert prices.cost(own, Usage(100_000, 10_000, 50_000), batch=True) == pytest.approx(0.375)
    assert prices.find(_settings(model="nobody-knows")) is None
    with pytest.raises(UserError, match="no price is known of nobody-knows"):
        prices.find(_settings(model="nobody-knows", budget=5))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"base_url": "ftp://x"}, "http"),
        ({"base_url": "http://api.example.com/v1"}, "must be https"),
        ({"base_url": "https://me:secret@api.example.com/v1"}, "hold no key"),
        ({"country": ""}, "country is missing"),
        ({"key": "sk-1"}, "Extra inputs"),
        ({"key_env": "sk-abc def"}, "pattern"),
        ({"concurrency": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        _settings(**wrong)


def test_who_is_sent_the_posts_is_named() -> None:
    assert _settings().recipient == "deepseek-flash at api.deepseek.com (China)"
    assert not _settings().local
    for url in ("http://127.0.0.1:8000/v1", "http://localhost:11434/v1", "http://[::1]:1/v1"):
        assert RemoteSettings(base_url=url, model="m").local
    lan = RemoteSettings(base_url="http://gpu.lan:8000/v1", model="m", country="China")
    assert not lan.local
