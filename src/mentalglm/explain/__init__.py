"""Explanations: composed from the label's definition, the quoted words, the further outputs and the probabilities.

Deterministic: among a slot's variants a hash of the post decides, so that many explanations in a row do not read alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..tasks import Lang, Task

__all__ = ["explain"]


def explain(task: Task, analysis: Mapping[str, Any], text: str, lang: Lang = "zh") -> str:
    """Why `analysis` of the post `text` reads as it does, in one paragraph of Chinese or English; never empty.

    `analysis` is that of DESIGN, contract 2, with or without `explanation`. It says no more than the evidence and the
    outputs carry: no diagnosis, no advice. “ ” enclose words of the post only, shortened beyond 40 characters.
    """
    from . import distortion, pathway, risk
    from .wording import Wording

    say = Wording(lang, text, task.name)
    if task.name == "suicide_risk":
        said = risk.compose(say, analysis)
    elif task.kind == "sentence":
        said = pathway.compose(say, task, analysis, text)
    else:
        said = distortion.compose(say, task, analysis)
    if "windows" in analysis.get("notes", ()):
        said += ("" if lang == "zh" else " ") + say("windows")
    return said
