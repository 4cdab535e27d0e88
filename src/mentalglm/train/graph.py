"""Writes the encoder as an ONNX graph with block-quantised weights, op by op: no tracing, and only what the runtime needs.

Inputs `ids` int64 [B, T] and `mask` int32 [B, T] (1 = token); output `scores` float32 [B, T, 3 C + 2 K], the token scores
of net.ReadOut. Pooling is left to the caller, so that what a token adds to a label can be read off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mentalglm.train.net import Encoder, Layer

MS = "com.microsoft"
BLOCK = 32


def quantise(weight: np.ndarray, bits: int, block: int = BLOCK) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows [N, K] in blocks of `block` along K: unsigned codes [N, K], scales and offset `scale * 2^(bits-1)`
    (symmetric). Gives codes uint8 [N, K/block, block], scales float32 [N, K/block] and the dequantised float32 [N, K]."""
    n, k = weight.shape
    w = weight.reshape(n, k // block, block).astype(np.float32)
    half = 2 ** (bits - 1)
    # the entry of largest size goes to the code that is one step further out (-half), as in Q4_0
    extreme = np.take_along_axis(w, np.abs(w).argmax(-1)[..., None], -1)[..., 0]
    scale = np.where(extreme == 0, 1.0, -extreme / half).astype(np.float32)
    codes = np.clip(np.round(w / scale[..., None]) + half, 0, 2 * half - 1).astype(np.uint8)
    back = (codes.astype(np.float32) - half) * scale[..., None]
    return codes, scale, back.reshape(n, k)


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def put(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind: str, inputs: list[str], name: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        outs = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, outs, name=f"{kind}:{name}", domain=domain, **attributes))
        return outs[0]

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None, name: str, bits: int) -> str:
        """x [.., K] times weight [N, K] transposed plus bias [N]; `bits` 8, or 32 for plain floats."""
        if bits == 32:
            w = self.put(f"{name}.w", weight.T.astype(np.float32))
        else:
            # 8 bits with a scale an output; the runtime unpacks them once, when the session starts
            scale = np.maximum(np.abs(weight).max(1) / 127.0, 1e-12).astype(np.float32)
            codes = np.round(weight / scale[:, None]).astype(np.int8)
            w = self.op(
                "DequantizeLinear", [self.put(f"{name}.q", codes.T), self.put(f"{name}.s", scale)], f"{name}.w", axis=1
            )
        y = self.op("MatMul", [x, w], f"{name}.mm")
        if bias is None:
            return y
        return self.op("Add", [y, self.put(f"{name}.b", bias.astype(np.float32))], name)


def write(encoder: Encoder, read_out: np.ndarray, path: Path, bits: int = 8, embedding_bits: int = 4) -> None:
    """Writes the graph; `read_out` [columns, H] is ReadOut.token.weight, kept in floats."""
    g, heads = _Graph(), encoder.size.heads
    words = encoder.word.weight.detach().numpy()
    if embedding_bits == 32:
        x = g.op("Gather", [g.put("words", words), "ids"], "word")
    else:
        codes, scale, _ = quantise(words, embedding_bits)
        codes = codes.reshape(words.shape)
        if embedding_bits == 4:
            codes = codes[:, 0::2] | (codes[:, 1::2] << 4)
        q = [g.put("words.q", codes), "ids", g.put("words.s", scale)]
        x = g.op(
            "GatherBlockQuantized", q, "word", MS, bits=embedding_bits, block_size=BLOCK, gather_axis=0, quantize_axis=1
        )
    length = g.op(
        "Slice", [g.op("Shape", ["ids"], "shape"), g.put("i1", np.array([1])), g.put("i2", np.array([2]))], "t"
    )
    table = g.put("positions", encoder.position.weight.detach().numpy())
    position = g.op("Slice", [table, g.put("i0", np.array([0])), length], "position")
    x = g.op("Add", [x, position], "embedded")
    x = _norm(g, x, None, encoder.norm, "norm")
    for i, layer in enumerate(encoder.layers):
        assert isinstance(layer, Layer)
        x = _layer(g, x, layer, f"l{i}", heads, bits)
    g.linear(x, read_out, None, "read", 32)
    g.nodes[-1].output[0] = "scores"
    graph = helper.make_graph(
        g.nodes,
        "mini",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["B", "T"]),
            helper.make_tensor_value_info("mask", TensorProto.INT32, ["B", "T"]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", "T", read_out.shape[0]])],
        g.weights,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="mentalglm"), str(path))


def _norm(g: _Graph, x: str, skip: str | None, norm: object, name: str) -> str:
    weight = g.put(f"{name}.g", norm.weight.detach().numpy())  # type: ignore[attr-defined]
    bias = g.put(f"{name}.beta", norm.bias.detach().numpy())  # type: ignore[attr-defined]
    if skip is None:
        return g.op("LayerNormalization", [x, weight, bias], name, epsilon=1e-12)
    return g.op("SkipLayerNormalization", [x, skip, weight, bias], name, MS, epsilon=1e-12)


def _layer(g: _Graph, x: str, layer: Layer, name: str, heads: int, bits: int) -> str:
    def of(part: object) -> tuple[np.ndarray, np.ndarray]:
        return part.weight.detach().numpy(), part.bias.detach().numpy()  # type: ignore[attr-defined]

    qkv = g.linear(x, *of(layer.qkv), f"{name}.qkv", bits)
    g.op("Split", [qkv], f"{name}.split", outputs=3, axis=2, num_outputs=3)
    q, k, v = (f"{name}.split.{i}" for i in range(3))
    a = g.op("MultiHeadAttention", [q, k, v, "", "mask"], f"{name}.attention", MS, num_heads=heads)
    a = g.linear(a, *of(layer.out), f"{name}.out", bits)
    x = _norm(g, x, a, layer.norm1, f"{name}.norm1")
    y = g.linear(x, *of(layer.up), f"{name}.up", bits)
    y = g.op("Gelu", [y], f"{name}.gelu")
    y = g.linear(y, *of(layer.down), f"{name}.down", bits)
    return _norm(g, x, y, layer.norm2, f"{name}.norm2")
