"""The network of `mini`: a BERT encoder and one linear read-out per output, all additive over tokens.

Every output is a sum over tokens (mean pooling, and label-wise attention as in CAML, Mullenbach et al. 2018), so what a
token adds to a label is a number that the exported graph can give beside the label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mentalglm.train.e5 import Base


@dataclass(frozen=True, slots=True)
class Size:
    """Sizes of the encoder; `inner` is the feed-forward width."""

    vocabulary: int
    layers: int
    hidden: int = 384
    heads: int = 12
    inner: int = 1536
    positions: int = 512


class Layer(nn.Module):
    """One post-norm transformer layer, as in BERT."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = nn.Linear(size.hidden, 3 * size.hidden)
        self.out = nn.Linear(size.hidden, size.hidden)
        self.norm1 = nn.LayerNorm(size.hidden, eps=1e-12)
        self.up = nn.Linear(size.hidden, size.inner)
        self.down = nn.Linear(size.inner, size.hidden)
        self.norm2 = nn.LayerNorm(size.hidden, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor, dropout: float) -> Tensor:
        b, t, h = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, h // self.heads).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        a = self.out(a.transpose(1, 2).reshape(b, t, h))
        x = self.norm1(x + F.dropout(a, dropout, self.training))
        y = self.down(F.gelu(self.up(x)))
        return self.norm2(x + F.dropout(y, dropout, self.training))


class Encoder(nn.Module):
    """Token ids [B, T] and mask [B, T] (True = token) to states [B, T, H]."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.word = nn.Embedding(size.vocabulary, size.hidden)
        self.position = nn.Embedding(size.positions, size.hidden)
        self.norm = nn.LayerNorm(size.hidden, eps=1e-12)
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.layers))

    def embed(self, ids: Tensor) -> Tensor:
        return self.norm(self.word(ids) + self.position.weight[: ids.shape[1]])

    def run(self, x: Tensor, mask: Tensor, first: int = 0, last: int | None = None, dropout: float = 0.1) -> Tensor:
        for layer in self.layers[first:last]:
            x = layer(x, mask, dropout)
        return x

    def forward(self, ids: Tensor, mask: Tensor, dropout: float = 0.1) -> Tensor:
        return self.run(F.dropout(self.embed(ids), dropout, self.training), mask, dropout=dropout)


def load_base(base: Base, kept: list[int], layers: list[int]) -> Encoder:
    """The pretrained encoder with the pieces `kept` and the layers `layers` (indices into the base's)."""
    c = base.config
    encoder = Encoder(Size(len(kept), len(layers), c["hidden"], c["heads"], c["inner"], c["positions"]))
    w = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in base.weights.items()}
    with torch.no_grad():
        encoder.word.weight.copy_(w["emb.word"][kept])
        encoder.position.weight.copy_(w["emb.pos"] + w["emb.type"].reshape(-1, c["hidden"])[0])
        encoder.norm.weight.copy_(w["emb.ln.w"])
        encoder.norm.bias.copy_(w["emb.ln.b"])
        for layer, i in zip(encoder.layers, layers, strict=True):
            assert isinstance(layer, Layer)
            layer.qkv.weight.copy_(torch.cat([w[f"l{i}.{n}.w"] for n in "qkv"]))
            layer.qkv.bias.copy_(torch.cat([w[f"l{i}.{n}.b"] for n in "qkv"]))
            for part, name in ((layer.out, "ao"), (layer.up, "fi"), (layer.down, "fo")):
                part.weight.copy_(w[f"l{i}.{name}.w"])
                part.bias.copy_(w[f"l{i}.{name}.b"])
            for part, name in ((layer.norm1, "aln"), (layer.norm2, "oln")):
                part.weight.copy_(w[f"l{i}.{name}.w"])
                part.bias.copy_(w[f"l{i}.{name}.b"])
    return encoder


# The post-level outputs, in the order of the columns: name -> number of columns.
# `any` is "some distortion"; `psy` (PsySUICIDE's kinds) only helps the training and is not exported.
OUTPUTS = {"risk": 1, "level": 10, "subject": 4, "attempt": 1, "any": 1, "distortion": 12, "psy": 11}
COLUMNS = sum(OUTPUTS.values())
CHILDREN = 19


def columns(name: str) -> slice:
    """The columns of output `name`."""
    start = 0
    for key, n in OUTPUTS.items():
        if key == name:
            return slice(start, start + n)
        start += n
    raise KeyError(name)


class ReadOut(nn.Module):
    """Token states [B, T, H] to token scores [B, T, 3 C + 2 K]: per post-level column a mean-pooled value, an attention
    score and an attended value; per pathway child a value pooled over its sentence and one pooled over the post."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.token = nn.Linear(hidden, 3 * COLUMNS + 2 * CHILDREN, bias=False)
        self.bias = nn.Parameter(torch.zeros(COLUMNS))
        self.child_bias = nn.Parameter(torch.full((CHILDREN,), -3.0))
        nn.init.normal_(self.token.weight, std=0.02)

    def forward(self, states: Tensor, mask: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        """`segments` [B, S, T] is 1 where a token belongs to a sentence. Gives logits [B, C] and [B, S, K]."""
        y = self.token(states)
        mean, score, value, own, whole = y.split([COLUMNS] * 3 + [CHILDREN] * 2, dim=-1)
        m = mask[:, :, None].float()
        attention = score.masked_fill(~mask[:, :, None], -1e4).softmax(1)
        length = m.sum(1)
        post = self.bias + (mean * m).sum(1) / length + (attention * value).sum(1)
        inside = segments / segments.sum(-1, keepdim=True).clamp(min=1)
        return post, self.child_bias + inside @ own + ((whole * m).sum(1) / length)[:, None]
