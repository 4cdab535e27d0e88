"""Choice of words: one variant of a slot, by a hash of post and slot; the next one each time a slot is used again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..tasks import Lang, Task
from . import quotes


class Wording:
    """The variants of one language, bound to one post and task, so that the same post always reads the same."""

    def __init__(self, lang: Lang, text: str, task: str) -> None:
        if lang == "zh":
            from .clauses import ZH as CLAUSES
            from .zh import WORDS
        else:
            from .clauses import EN as CLAUSES
            from .en import WORDS
        self.lang: Lang = lang
        self._words, self._clauses = WORDS, CLAUSES
        self._seed = hashlib.blake2b(f"{task}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self._used: Counter[str] = Counter()

    def __call__(self, slot: str, **values: Any) -> str:
        if "n" in values:
            values["n_"] = values["n"][:1].upper() + values["n"][1:]
        return self._pick(slot, self._words[slot]).format(**values)

    def clause(self, label: str) -> str:
        """How the label's definition applies to the words quoted; belief children share the distortions' clauses."""
        key = label.removeprefix("belief.")
        key = "magnification" if key == "magnification_minimization" else key
        variants = self._clauses.get(key)
        return self._pick(f"clause.{key}", variants) if variants else ""

    def quotes(self, evidence: Iterable[Mapping[str, Any]], label: str) -> str:
        return quotes.joined(quotes.of_label(evidence, label), self.lang)

    def quote(self, text: str) -> str:
        return quotes.joined([quotes.shorten(text)], self.lang)

    def names(self, task: Task, probabilities: Mapping[str, float], labels: Iterable[str]) -> str:
        """`乱贴标签 83%、以偏概全 41%`"""
        mark = "{} {}" if self.lang == "zh" else "{} at {}"
        each = [mark.format(task.label(x).name(self.lang), self.bare(probabilities[x])) for x in labels]
        return ("、" if self.lang == "zh" else ", ").join(each)

    def bare(self, p: float) -> str:
        """`12%`; the ends of the scale are never called 0 or 100 %."""
        if p < 0.01:
            return "不到 1%" if self.lang == "zh" else "under 1 %"
        if p > 0.99:
            return "99% 以上" if self.lang == "zh" else "over 99 %"
        return f"{p:.0%}" if self.lang == "zh" else f"{100 * p:.0f} %"

    @staticmethod
    def soft(p: float | None) -> bool:
        """Whether a label given at `p` is to be told as a likeness, not as a verdict: under one half, as it is shown."""
        return p is not None and round(p, 2) < 0.5

    def verbal(self, p: float) -> str:
        """The probability with its verb, as Chinese needs it: `为 12%`, `不到 1%`, `在 99% 以上`."""
        bare = self.bare(p)
        return bare if p < 0.01 else f"在 {bare}" if p > 0.99 else f"为 {bare}"

    def _pick(self, slot: str, variants: tuple[str, ...]) -> str:
        number = int.from_bytes(hashlib.blake2b(self._seed + slot.encode(), digest_size=4).digest(), "big")
        index = (number + self._used[slot]) % len(variants)
        self._used[slot] += 1
        return variants[index]
