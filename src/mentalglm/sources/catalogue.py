"""The sets that can be named, as an explicit list."""

from __future__ import annotations

import difflib

from ..errors import UserError
from . import (
    c_imhi,
    cognitive_pathways,
    imhi,
    ordinary_weibo,
    psysuicide,
    socialcd_3k,
    sos_hl_1k,
    sos_levels,
    synthetic,
)
from .source import Source

SOURCES: tuple[Source, ...] = (
    sos_hl_1k.SOURCE,
    sos_levels.SOS_1K,
    sos_levels.SOS_4K,
    socialcd_3k.SOURCE,
    synthetic.SOURCE,
    cognitive_pathways.SOURCE,
    psysuicide.SOURCE,
    ordinary_weibo.SOURCE,
    *c_imhi.SOURCES,
    *imhi.SOURCES,
)


def load(key: str) -> Source:
    """The set called `key`; a UserError names one that is close."""
    for source in SOURCES:
        if source.key == key:
            return source
    close = difflib.get_close_matches(key, [s.key for s in SOURCES], 1, 0.5)
    hint = f"did you mean {close[0]}?" if close else "`mentalglm data list` names them"
    raise UserError(f"there is no set {key!r}", hint)
