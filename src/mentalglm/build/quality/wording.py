"""The explanation as a text: length, language, repetition, and whether it says more than the label."""

from __future__ import annotations

import re
from functools import cache

from mentalglm.build.item import Item, Taught
from mentalglm.tasks import NAMES, load
from mentalglm.text import is_chinese

from . import lexicon, passages
from .quotes import quoted
from .verdict import Finding, Settings, find, task_of

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_WORD = re.compile(r"[^\W\d_]+")
_ENDS = frozenset('。！？!?.…」』”’"）)~～')
_KEY = re.compile(r"(?<![A-Za-z_.])[a-z]+(?:[._][a-z]+)+(?![A-Za-z_])")
LOOKED_AT = 20_000  # code points; what is longer is too long anyway


def length(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    if taught.answer is None:
        return []
    n = len(taught.answer.explanation.strip())
    if n < settings.min_chars:
        return find(settings, "too_short", f"{n} < {settings.min_chars}")
    return find(settings, "too_long", f"{n} > {settings.max_chars}") if n > settings.max_chars else []


def language(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """The share of Chinese characters among these and words of other scripts, quotations and label names aside; and no
    label keys, and no broken-off end."""
    if taught.answer is None:
        return []
    text = taught.answer.explanation[:LOOKED_AT]
    out: list[Finding] = []
    own = outside(text)
    keys = [k for k in _KEY.findall(own) if k in _keys()]
    if keys:
        out += find(settings, "label_key", keys[0])
    if text.strip() and len(text) < LOOKED_AT and text.rstrip()[-1] not in _ENDS:
        out += find(settings, "truncated")
    share = chinese_share(own)
    if settings.language == "any" or share is None:
        return out
    chinese = share >= settings.min_chinese and is_chinese(own)
    wrong = not chinese if settings.language == "zh" else share > 1 - settings.min_chinese
    return out + (find(settings, "language", f"{share:.0%} zh") if wrong else [])


def repetition(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """Passages that stand twice, and short pieces that follow themselves, outside quotations."""
    if taught.answer is None:
        return []
    own = outside(taught.answer.explanation[:LOOKED_AT], put="\0")
    share = repeated(own, settings.repeat_gram)
    if share > settings.max_repeated:
        return find(settings, "repetition", f"{share:.0%}")
    loop = _loop(settings.max_loop).search(own)
    return find(settings, "repetition", f"{loop[1]} ×{len(loop[0]) // len(loop[1])}") if loop else []


def restates(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """Quotations, names of labels and phrases that fit any post taken out, does the explanation say anything? Where it
    quotes the post, the definition's words count (they say what the quoted words do); where it does not, they do not.
    """
    if taught.answer is None:
        return []
    explanation = taught.answer.explanation[:LOOKED_AT]
    says = own_words(item, explanation, bool(quoted(explanation, item.text, settings).good))
    return find(settings, "restates_label", f"{says} < {settings.min_own}") if says < settings.min_own else []


def outside(text: str, put: str = "“”") -> str:
    return passages.outside(text, passages.find(text).passages, put)


def chinese_share(text: str) -> float | None:
    """Chinese characters among these and words of other scripts; None for a text with neither."""
    han = len(_HAN.findall(text))
    words = len(_WORD.findall(_HAN.sub(" ", text)))
    return han / (han + words) if han + words else None


def repeated(text: str, gram: int) -> float:
    """The share of the characters of `text` that lie in a passage of `gram` characters that stood before; passages that
    run over a mark `\\0` (a quotation) do not count."""
    seen: dict[str, int] = {}
    again = bytearray(len(text))
    for i in range(len(text) - gram + 1):
        piece = text[i : i + gram]
        if "\0" in piece:
            continue
        if seen.setdefault(piece, i) + gram <= i:
            again[i : i + gram] = b"\1" * gram
    return sum(again) / len(text) if text else 0.0


def own_words(item: Item, explanation: str, with_definition: bool) -> int:
    """Chinese characters, and words of other scripts, that are left."""
    text = lexicon.names().sub(" ", outside(explanation, put=" "))
    text = lexicon.boilerplate().sub(" ", text)
    if not with_definition:
        text = "".join(" " if known else ch for ch, known in zip(text, _of_definition(item, text), strict=True))
    return len(_HAN.findall(text)) + len(_WORD.findall(_HAN.sub(" ", text)))


def _of_definition(item: Item, text: str) -> list[bool]:
    """For each character, whether it lies in a pair of characters, or a word, of the labels' definitions."""
    task = task_of(item)
    out = [False] * len(text)
    if task is None:
        return out
    pairs, words = _definition(task.name)
    for i in range(len(text) - 1):
        if text[i : i + 2] in pairs:
            out[i] = out[i + 1] = True
    for m in _WORD.finditer(text):
        if m.group().lower() in words:
            out[m.start() : m.end()] = [True] * len(m.group())
    return out


@cache
def _definition(name: str) -> tuple[frozenset[str], frozenset[str]]:
    task = load(name)
    zh = [task.about_zh, *(x for k in task.labels for x in (k.definition_zh, k.unlike_zh))]
    en = [task.about_en, *(x for k in task.labels for x in (k.definition_en, k.unlike_en))]
    pairs = {t[i : i + 2] for t in zh for i in range(len(t) - 1) if _HAN.match(t[i]) and _HAN.match(t[i + 1])}
    return frozenset(pairs), frozenset(w.lower() for t in en for w in _WORD.findall(t))


@cache
def _keys() -> frozenset[str]:
    return frozenset(k for name in NAMES for k in load(name).keys if "_" in k or "." in k)


@cache
def _loop(times: int) -> re.Pattern[str]:
    """One to eight characters that follow themselves `times` times more, or beyond; not punctuation alone."""
    return re.compile(rf"(?=\w)([^\0]{{1,8}}?)\1{{{times},}}")
