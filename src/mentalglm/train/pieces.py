"""The tokenizer of `mini`: the base's unigram model, cut down to the pieces that are kept."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors


def tokenizer_of(pieces: list[tuple[str, float]]) -> Tokenizer:
    """`pieces` begin with <s>, <pad>, </s>, <unk>. None of these is a special token to the tokenizer: written in a post
    they are plain characters."""
    rest = [(piece, -100.0 if i < 4 else score) for i, (piece, score) in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(rest, unk_id=3, byte_fallback=False))
    # NFKC has been done already, with the offset map; full-width marks that it leaves go to their plain forms
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer
