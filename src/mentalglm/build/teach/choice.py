"""Choice of words without chance: a hash of post, task, attempt and slot picks among a slot's variants."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence


class Choice:
    """Bound to one item and attempt: the same call always picks the same, the next attempt something else."""

    def __init__(self, *seed: str | int) -> None:
        self._seed = "\0".join(map(str, seed)).encode("utf-8", "surrogatepass")
        self._used: Counter[str] = Counter()

    def pick(self, slot: str, variants: Sequence[str]) -> str:
        """One of `variants`; a slot asked again gives the next ones, not the same twice while there are others."""
        at = (self._number(slot) + self._used[slot]) % len(variants)
        self._used[slot] += 1
        return variants[at]

    def chance(self, slot: str, share: float) -> bool:
        return self._number(slot) % 1000 < 1000 * share

    def _number(self, slot: str) -> int:
        return int.from_bytes(hashlib.blake2b(self._seed + b"\0" + slot.encode(), digest_size=6).digest(), "big")
