"""The English wording of explanations: the same slots as the Chinese, see `zh`."""

from __future__ import annotations

from . import distortion, pathway, risk

WORDS: dict[str, tuple[str, ...]] = {
    **risk.WORDS,
    **distortion.WORDS,
    **pathway.WORDS,
    "windows": (
        "The post is long and was read in parts.",
        "Because of its length the model read this post in parts.",
        "The post is rather long; the reading is put together from its parts.",
        "It is longer than can be read at once, and was read in parts.",
        "The whole is long, and the model read it part by part.",
        "Being long, this post was read in several parts.",
    ),
    "unsure": (
        "The model is not sure of this; a person should read it.",
        "The model cannot decide this with confidence and leaves it to a person.",
        "The model is not sure enough; this is for a person to judge.",
        "None of this is certain to the model; a person should read the post itself.",
        "The model cannot vouch for this reading, and a person should check it.",
        "As the model is not sure, a person should read this post.",
    ),
}
