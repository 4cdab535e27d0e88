"""What the benchmarks measure: `mini`, a BERT-base-size encoder in the same runtime, and TF-IDF with a linear model.

A system is a function that takes a batch of posts and throws its answers away. Only the invented posts of the package
are read. `mini` needs the base install; the others need onnx and scikit-learn (the extras `dev` or `train`).
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[1] / "src"
if find_spec("mentalglm") is None:
    sys.path.insert(0, str(SOURCE))

System = Callable[[Sequence[str]], Any]
INVENTED = (
    *("hard_negatives", "rare_distortions", "minimal_pairs"),
    *(f"pathway_synthetic/{split}" for split in ("train", "validation", "test")),
)
TASKS = ("suicide_risk", "cognitive_distortion", "cognitive_pathway")
BERT = {"layers": 12, "hidden": 768, "heads": 12, "inner": 3072, "vocabulary": 21_128, "positions": 512, "outputs": 14}
WEIGHTS = {"fp32": None, "int8": "QInt8", "uint8": "QUInt8"}  # the two 8-bit forms run on different kernels
BUDGETS = (512, 1536)  # tokens of one call with their padding; mini's own is 1536


def invented() -> list[dict[str, Any]]:
    """Every invented post of the package, with the fields that its file has."""
    spec = find_spec("mentalglm")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).with_name("datasets")
    return [
        json.loads(line)
        for name in INVENTED
        for line in (folder / f"{name}.jsonl").open(encoding="utf-8")
        if line.strip()
    ]


def posts_of(pool: Sequence[str], size: int, seed: int = 0) -> list[str]:
    """`size` posts of `pool`, repeated where there are too few, with the same distribution of lengths at every size: at
    even steps through the pool in order of length, then shuffled."""
    ordered = sorted(pool, key=len)
    chosen = [ordered[int((i + 0.5) * len(ordered) / size)] for i in range(size)]
    random.Random(seed).shuffle(chosen)
    return chosen


def mini(threads: int, tasks: Sequence[str] | None = None) -> System:
    """`mini` as a person gets it: cleaning, both halves, evidence, explanation, records."""
    import mentalglm

    model = mentalglm.load("mini", threads=threads)
    return lambda posts: list(model.analyze(posts, tasks=tasks))


def tokens(text: str) -> list[int]:
    """Token ids as a Chinese BERT makes them: one a character, one for a run of letters or digits (a real one has
    more), none for white space; at most 510, in [CLS] and [SEP]. The ids are arbitrary, as the weights are."""
    pieces = re.findall(r"[A-Za-z]+|[0-9]+|\S", text)[: BERT["positions"] - 2]
    return [101, *[999 + sum(map(ord, p)) % (BERT["vocabulary"] - 999) for p in pieces], 102]


def bert(path: Path, threads: int, budget: int) -> System:
    """An encoder of `write_bert`: within a batch, texts of alike length share a call of at most `budget` tokens,
    so that a tenth at most is padding."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def call(rows: list[list[int]]) -> Any:
        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), np.int64)
        mask = np.zeros((len(rows), longest), np.int32)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return session.run(None, {"ids": ids, "mask": mask})[0]

    def run(posts: Sequence[str]) -> list[Any]:
        out: list[Any] = []
        batch: list[list[int]] = []
        for row in sorted(map(tokens, posts), key=len):
            if batch and ((len(batch) + 1) * len(row) > budget or len(row) > 1.2 * len(batch[0]) + 3):
                out.append(call(batch))
                batch = []
            batch.append(row)
        return [*out, call(batch)] if batch else out

    return run


def tf_idf() -> System:
    """Character 1–3-grams and a logistic regression for high risk and each distortion, fitted on the invented posts."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    rows = [r for r in invented() if "distortions" in r]
    names = sorted({d for r in rows for d in r["distortions"]})
    y = np.array([[r.get("level", 0) >= 6, *[d in r["distortions"] for d in names]] for r in rows], int)
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    model = OneVsRestClassifier(LogisticRegression(max_iter=200)).fit(
        vectors.fit_transform([r["text"] for r in rows]), y
    )
    return lambda posts: model.predict_proba(vectors.transform(posts))


def write_bert(folder: Path) -> dict[str, Path]:
    """Writes the BERT-base-size encoder with random weights as fp32 and in two dynamic 8-bit forms, unless they are
    there. The graph has the runtime's fused operators (attention, skip + layer norm, GELU), which are its fastest."""
    paths = {name: folder / f"bert-base-{name}.onnx" for name in WEIGHTS}
    if not paths["fp32"].is_file():
        _write_fp32(paths["fp32"])
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for name, kind in WEIGHTS.items():
        if kind and not paths[name].is_file():
            part = paths[name].with_suffix(".part")
            extra = {"DefaultTensorType": 1}  # the types of fused operators are not inferred: they are floats
            quantize_dynamic(paths["fp32"], part, weight_type=QuantType[kind], extra_options=extra)
            part.rename(paths[name])
    return paths


def _write_fp32(path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng, hidden, inner = np.random.default_rng(0), BERT["hidden"], BERT["inner"]
    nodes: list[Any] = []
    weights: list[Any] = []

    def put(name: str, value: Any) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def random_weights(name: str, *shape: int) -> str:
        return put(name, rng.standard_normal(shape, np.float32) * np.float32(0.02))

    def op(kind: str, inputs: list[str], name: str, domain: str = "", **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [name], name=f"{kind}:{name}", domain=domain, **attributes))
        return name

    def linear(x: str, name: str, rows: int, columns: int) -> str:
        product = op("MatMul", [x, random_weights(f"{name}.w", rows, columns)], f"{name}.mm")
        return op("Add", [product, put(f"{name}.b", np.zeros(columns, np.float32))], name)

    def norm(x: str, skip: str | None, name: str) -> str:
        scale = [put(f"{name}.g", np.ones(hidden, np.float32)), put(f"{name}.beta", np.zeros(hidden, np.float32))]
        if skip is None:
            return op("LayerNormalization", [x, *scale], name, epsilon=1e-12)
        return op("SkipLayerNormalization", [x, skip, *scale], name, "com.microsoft", epsilon=1e-12)

    x = op("Gather", [random_weights("words", BERT["vocabulary"], hidden), "ids"], "word")
    ends = [put("one", np.array([1])), put("two", np.array([2]))]
    length = op("Slice", [op("Shape", ["ids"], "shape"), *ends], "length")
    table = random_weights("positions", BERT["positions"], hidden)
    x = op("Add", [x, op("Slice", [table, put("nought", np.array([0])), length], "position")], "embedded")
    x = norm(op("Add", [x, random_weights("segment", hidden)], "with_segment"), None, "norm")
    for i in range(BERT["layers"]):
        n = f"l{i}"
        qkv = linear(x, f"{n}.qkv", hidden, 3 * hidden)
        parts = [f"{n}.q", f"{n}.k", f"{n}.v"]
        nodes.append(helper.make_node("Split", [qkv], parts, name=f"Split:{n}", axis=2, num_outputs=3))
        a = op("MultiHeadAttention", [*parts, "", "mask"], f"{n}.a", "com.microsoft", num_heads=BERT["heads"])
        x = norm(x, linear(a, f"{n}.out", hidden, hidden), f"{n}.norm1")
        y = op("Gelu", [linear(x, f"{n}.up", hidden, inner)], f"{n}.gelu")
        x = norm(x, linear(y, f"{n}.down", inner, hidden), f"{n}.norm2")
    first = op("Gather", [x, put("first", np.array(0))], "cls", axis=1)
    pooled = op("Tanh", [linear(first, "pool", hidden, hidden)], "pooled")
    linear(pooled, "logits", hidden, BERT["outputs"])
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["B", "T"])
    mask = helper.make_tensor_value_info("mask", TensorProto.INT32, ["B", "T"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", BERT["outputs"]])
    graph = helper.make_graph(nodes, "bert_base", [ids, mask], [logits], weights)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    part = path.with_suffix(".part")
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), str(part))
    part.rename(path)
