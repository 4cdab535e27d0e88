"""The Chinese wording of explanations: for each slot its variants, of which one is chosen by a hash of the post.

{q} quotes, {c} what the model reads or how a definition applies, {n} a label's name, {p} a probability
with its verb, {v} without, {l} a level, {k} a count, {o} the beliefs, {w} what a probability holds for. “ ” stand around
the words of the post only, 「 」 around labels.
Nothing here may claim more than that the model reads the post so: a quote may be a denial, tell of the past or of
someone else. A slot in `.soft` is for a probability under one half. No advice, no diagnosis.
"""

from __future__ import annotations

from . import distortion, pathway, risk

WORDS: dict[str, tuple[str, ...]] = {
    **risk.WORDS,
    **distortion.WORDS,
    **pathway.WORDS,
    "windows": (
        "帖子很长，是分段读完的。",
        "因为篇幅长，模型分段阅读了这条帖子。",
        "这条帖子较长，判断由各段合并而来。",
        "篇幅超出一次能读的长度，因此分段读取。",
        "全文较长，模型是一段一段读的。",
        "由于很长，这条帖子是分成几段读的。",
    ),
    "unsure": (
        "模型对此没有把握，需要由人来读。",
        "这一判断模型拿不准，应由人来看。",
        "模型的把握不够，留给人来判断。",
        "以上模型并不确定，需要有人读一读原文。",
        "模型不能肯定这一结论，需要人来复核。",
        "把握不足，这条应当由人来读。",
    ),
}
