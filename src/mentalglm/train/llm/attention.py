"""Attention inside the examples of a packed row alone, without the mask over all of it.

transformers' own `sdpa` finds examples by their position ids and masks a square of the whole row; here each example is a
causal attention of its own, so that a row of many short ones costs the sum of their squares. Used on processors; on a GPU
`flash_attention_2` does the same in one kernel, and `sdpa` with the mask is right everywhere.
"""

from __future__ import annotations

from typing import Any

NAME = "mentalglm_blocks"


def register() -> None:
    """Makes the function known to transformers under NAME. A name without a mask function gets no mask."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, forward)


def forward(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    blocks: list[int] | None = None,
    **_: Any,
) -> tuple[Any, None]:
    """query [1, heads, n, d], key and value [1, kv_heads, n, d]; `blocks` add up to n. Returns [1, n, heads, d]."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    lengths = blocks if blocks is not None else [query.shape[2]]
    if (
        query.shape[0] != 1
        or sum(lengths) != query.shape[2]
        or key.shape[2] != query.shape[2]
        or attention_mask is not None
    ):
        raise ValueError("this attention is for packed rows: one row, no cache, no mask")
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    out = [
        scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling, is_causal=True)
        for q, k, v in zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    ]
    return torch.cat(out, 2).transpose(1, 2).contiguous(), None
