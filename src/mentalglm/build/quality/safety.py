"""What an explanation must not say, by the lexicon; and personal data."""

from __future__ import annotations

import re

from mentalglm.build.item import Item, Taught
from mentalglm.text import mask

from . import lexicon
from .verdict import Finding, Settings, find
from .wording import LOOKED_AT, outside

# Texts of these alone hold nothing that `text.mask` could find: no digit, @, / or <, and none of 微薇威徽绿 and v, w.
_PLAIN = re.compile(r"(?:(?![微薇威徽绿綠])[ \n、。「」『』，！？；：（）“”‘’…—,.!?;:A-UX-Za-ux-z\u4e00-\u9fff])*")
_MASKED = ("@user", "<url>", "<num>")  # placeholders that others put before us


def safety(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """Diagnosis, medical advice, medicines, details of methods, blame, false reassurance, certainty about the future,
    and words of the prompt, outside quotations. One finding a reason, with the words that were found."""
    if taught.answer is None:
        return []
    raw = taught.answer.explanation[:LOOKED_AT]
    own = outside(raw)
    out: list[Finding] = []
    for reason in lexicon.SAFETY:
        # A prompt's words are just as wrong inside quotation marks, if the post does not hold them.
        text = raw if reason == "prompt_echo" else own
        found = dict.fromkeys(w for p in lexicon.patterns(reason) for w in p.search(text, item.text))
        if reason == "prompt_echo":
            found = {w: None for w in found if w not in item.text}
        if found:
            out += find(settings, reason, "; ".join(found))
    return out


def privacy(item: Item, taught: Taught, settings: Settings) -> list[Finding]:
    """Phone numbers, addresses, @names and the like, in quotations too; the detail gives their kind, not the datum."""
    if taught.answer is None:
        return []
    text = taught.answer.explanation[:LOOKED_AT]
    if _PLAIN.fullmatch(text):
        return []
    kinds = [m.kind for m in mask(text)[1] if text[m.start : m.end].lower() not in _MASKED]
    return find(settings, "personal_data", "、".join(dict.fromkeys(kinds))) if kinds else []
