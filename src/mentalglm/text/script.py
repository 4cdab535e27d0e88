"""Whether a text is Chinese, which is what the models here were made for and measured on."""

from __future__ import annotations

import re

from .mask import PLACEHOLDER

HAN_SHARE = 0.2  # of Chinese characters and foreign words together
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_WORD = re.compile(r"[^\W\d_]+")


def is_chinese(cleaned: str) -> bool:
    """Whether a cleaned text has enough Chinese characters beside its words of other scripts; masked names and addresses
    do not count."""
    text = PLACEHOLDER.sub("", cleaned)
    han = len(_HAN.findall(text))
    words = len(_WORD.findall(_HAN.sub(" ", text)))
    return han > 0 and han >= HAN_SHARE * (han + words)
