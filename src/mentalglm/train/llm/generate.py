"""Greedy answers of a model, asked with the very ids that it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .encode import Encoder


class Said(NamedTuple):
    """An answer; `stopped` is False where it ran to the limit."""

    text: str
    stopped: bool


def answers(
    model: Any,
    encoder: Encoder,
    users: Sequence[str],
    limit: int = 1000,
    batch: int = 16,
    bound: Callable[[], list[Any]] | None = None,
) -> list[Said]:
    """The greedy answer to each user's turn, of at most `limit` tokens (the model card: greedy, at most 1,000).

    bound: makes the logits processors of a call, such as those that keep an answer within a schema.
    """
    import torch

    before = model.config._attn_implementation
    was, cache = model.training, model.config.use_cache
    model.eval()
    model.config.use_cache = True
    _set(model, "sdpa")
    kept_out = sorted(set(encoder.added.values()) - set(encoder.ends))  # an answer holds no role marker
    out: list[Said] = []
    try:
        for at in range(0, len(users), batch):
            prompts = [encoder.prompt(user) for user in users[at : at + batch]]
            longest = max(map(len, prompts))
            pad = encoder.tokenizer.pad_token_id if encoder.tokenizer.pad_token_id is not None else encoder.ends[-1]
            ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=model.device)
            mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=model.device)
            with torch.no_grad():
                whole = model.generate(
                    input_ids=ids, attention_mask=mask, max_new_tokens=limit, do_sample=False, temperature=None,
                    top_p=None, top_k=None, eos_token_id=encoder.ends, pad_token_id=pad,
                    suppress_tokens=kept_out or None, logits_processor=bound() if bound else None,
                )  # fmt: skip
            for row in whole[:, longest:].tolist():
                out.append(Said(encoder.answer(row), bool(set(row) & set(encoder.ends))))
    finally:
        _set(model, before)
        model.config.use_cache = cache
        model.train(was)
    return out


def _set(model: Any, attention: str) -> None:
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    inner.set_attn_implementation(attention)
