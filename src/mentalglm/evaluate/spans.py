"""The pathway under both published protocols: whole posts, and labelled spans only.

*Whole posts*: the union of a post's labels (`score` on the records as they are). *Spans*: each labelled sentence of the
gold is one case, and what the system says of the sentences that lie on it is its answer; what it says elsewhere is not
seen. `sentences` counts the unlabelled ones too, so that false alarms show. Source: Jiang et al., arXiv 2404.11449.
"""

from __future__ import annotations

import numpy as np

from .answers import Said, Sentence
from .pair import MISSING, OK, UNPARSED, Gold, Problems, System, assemble, matrix

SHARE = 0.5  # of the shorter of two sentences that must be common for one to answer for the other


def has_sentences(gold: Gold) -> bool:
    """Whether every post of the gold is annotated by sentence."""
    return gold.space.kind == "sentence" and all(one.sentences is not None for one in gold.said)


def unfold(gold: Gold, system: System, unlabelled: bool = False) -> tuple[Gold, System] | None:
    """Gold and system with a sentence a row; None where no answer of the system has sentences, or no gold has.

    Groups are those of the gold, else its posts, so that intervals stay by post. A post without an answer, or whose
    answer has no sentences, fails in each of its sentences.
    """
    gave = any(one is not None and one.sentences is not None for one in system.said)
    if not has_sentences(gold) or not gave:
        return None
    ids: list[str] = []
    right: list[Said] = []
    answers: list[Said | None] = []
    status: list[int] = []
    group: list[int] = []
    for n, (one, answer) in enumerate(zip(gold.said, system.said, strict=True)):
        for k, sentence in enumerate(one.sentences or ()):
            if not sentence[2] and not unlabelled:
                continue
            ids.append(f"{gold.ids[n]}#{k}")
            right.append(Said(sentence[2]))
            group.append(n if gold.groups is None else int(gold.groups[n]))
            whole = answer is not None and answer.sentences is not None
            answers.append(Said(_over(sentence, answer.sentences or ())) if whole and answer is not None else None)
            status.append(OK if whole else MISSING if system.status[n] == MISSING else UNPARSED)
    if not ids:
        return None
    numbers = np.unique(group, return_inverse=True)[1]
    labels = matrix([one.mask for one in right], gold.space)
    spans = Gold(gold.space, ids, labels, numbers, right, Problems())
    return spans, assemble(system.name, answers, np.array(status, np.int8), gold.space, Problems())


def _over(sentence: Sentence, said: tuple[Sentence, ...]) -> int:
    """The labels of the sentences in `said` that lie on `sentence`."""
    start, end, _ = sentence
    mask = 0
    for a, b, labels in said:
        if min(end, b) - max(start, a) >= SHARE * min(end - start, b - a) and min(end, b) > max(start, a):
            mask |= labels
    return mask
