"""How fast and how much a server is asked: a pace for requests and tokens, and a budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

_BURST = 0.02  # the share of a minute's allowance that may go out at once


class Pace:
    """An even pace of at most `per_minute` units in any 60 seconds; None is no limit.

    Nobody polls: `reserve` says at once how long to wait, in the order in which it is asked (the generic cell rate
    algorithm, ITU-T I.371).
    """

    def __init__(self, per_minute: float | None) -> None:
        self.per_minute = per_minute
        self._next = float("-inf")  # when the units reserved so far are used up at the even pace
        if per_minute is not None:
            burst = max(1.0, per_minute * _BURST)
            # burst + 60 s at the even pace make no more than the minute's allowance
            self._each = 60.0 / max(per_minute - burst, per_minute * 0.5, 1e-9)
            self._ahead = (burst - 1.0) * self._each

    def reserve(self, units: float, now: float) -> float:
        """Reserves `units` and says in how many seconds from `now` they may be used."""
        if self.per_minute is None:
            return 0.0
        start = max(self._next, now)
        self._next = start + units * self._each
        return max(0.0, start - self._ahead - now)

    def correct(self, units: float) -> None:
        """Takes back (or adds) units that were reserved in excess (or too few)."""
        if self.per_minute is not None:
            self._next += units * self._each


class Gate:
    """Lets requests through at the pace of requests and of tokens, and not before a time that the server named."""

    def __init__(self, rpm: int | None, tpm: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests, self._tokens, self._clock = Pace(rpm), Pace(tpm), clock
        self._closed_until = float("-inf")

    async def through(self, tokens: int) -> None:
        """Waits for the turn of a request of about `tokens` tokens in and out."""
        now = self._clock()
        wait = max(self._requests.reserve(1, now), self._tokens.reserve(tokens, now))
        while (wait := max(wait, self._closed_until - self._clock())) > 0:
            await asyncio.sleep(wait)
            wait = 0.0

    def settle(self, estimated: int, used: int) -> None:
        """Corrects the pace by what a request used in fact."""
        self._tokens.correct(used - estimated)

    def close(self, seconds: float) -> None:
        """Nobody is let through for `seconds`: the server said so (429 with Retry-After)."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)


@dataclass(slots=True)
class Budget:
    """Money and tokens that may be spent; None is no limit. What is under way is reserved, so that the requests in
    flight together do not go past it by more than their estimates were short."""

    money: float | None = None
    tokens: int | None = None
    spent: float = 0.0
    used: int = 0
    _held_money: float = 0.0
    _held_tokens: int = 0

    def take(self, money: float, tokens: int) -> bool:
        """Reserves the estimate of a request; False, and nothing reserved, where it does not fit any more."""
        if self.money is not None and self.spent + self._held_money + money > self.money:
            return False
        if self.tokens is not None and self.used + self._held_tokens + tokens > self.tokens:
            return False
        self._held_money += money
        self._held_tokens += tokens
        return True

    def settle(self, held_money: float, held_tokens: int, money: float = 0.0, tokens: int = 0) -> None:
        """Puts what a request cost in the place of its estimate."""
        self._held_money -= held_money
        self._held_tokens -= held_tokens
        self.spent += money
        self.used += tokens

    @property
    def words(self) -> str:
        parts = [f"{self.spent:.4g} of {self.money:g} in money"] if self.money is not None else []
        parts += [f"{self.used} of {self.tokens} tokens"] if self.tokens is not None else []
        return " and ".join(parts)


class Guess:
    """How many tokens a request will take, learned from those that came before."""

    def __init__(self) -> None:
        self._characters, self._in, self._out, self._answers = 0, 0, 0, 0

    def tokens(self, characters: int, limit: int) -> tuple[int, int]:
        """Tokens in and out of a request of so many characters, whose answer has at most `limit` tokens."""
        if not self._answers:  # Chinese: at most about one token a character
            return characters, limit
        return round(characters * self._in / max(self._characters, 1)), min(limit, round(self._out / self._answers))

    def learn(self, characters: int, tokens_in: int, tokens_out: int) -> None:
        self._characters += characters
        self._in += tokens_in
        self._out += tokens_out
        self._answers += 1
