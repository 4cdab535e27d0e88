"""Micro-batches: every example as often as its weight says, within the budget; packed losses are the unpacked ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm.train.llm import packing
from mentalglm.train.llm.packing import Mix

from . import small

LENGTHS = st.lists(st.integers(1, 100), min_size=1, max_size=60)


@given(LENGTHS, st.sampled_from(["pack", "group"]), st.integers(0, 5))
def test_an_epoch_has_every_example_once_within_the_budget(lengths: list[int], kind: str, seed: int) -> None:
    batches = packing.one_epoch(lengths, [Mix(list(range(len(lengths))), 1)], 100, seed, 0, kind)
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    for batch in batches:
        size = sum(lengths[i] for i in batch) if kind == "pack" else len(batch) * max(lengths[i] for i in batch)
        assert 0 < size <= 100
    assert batches == packing.one_epoch(lengths, [Mix(list(range(len(lengths))), 1)], 100, seed, 0, kind)


@given(LENGTHS, st.sampled_from([0.3, 1.0, 2.5]), st.integers(1, 5), st.sampled_from([0.5, 1, 2, 2.5]))
def test_a_plan_is_whole_steps_and_keeps_the_weights(
    lengths: list[int], weight: float, batch: int, epochs: float
) -> None:
    n = len(lengths)
    mixes = [Mix(list(range(n)), 1), Mix(list(range(n)), weight)]
    plan = packing.plan(lengths, mixes, 100, batch, epochs, 0, "pack")
    assert plan
    assert len(plan) % batch == 0
    seen = Counter(i for b in plan for i in b)
    if epochs == 2:
        drawn = n * (1 + int(weight)) + round((weight % 1) * n)
        assert sum(seen.values()) >= 2 * drawn
        assert min(seen.values(), default=0) >= 2
        assert len(plan) < len(packing.plan(lengths, mixes, 100, 1, epochs, 0, "pack")) + batch
    if epochs == 0.5 and n > 20:
        assert sum(seen.values()) < n * (1 + weight)


def test_packs_leave_little_room() -> None:
    import random

    r = random.Random(0)
    lengths = [r.randint(60, 600) for _ in range(500)]
    packs = packing.one_epoch(lengths, [Mix(list(range(500)), 1)], 2048, 0, 0, "pack")
    assert sum(lengths) / (len(packs) * 2048) > 0.97
    assert packs != sorted(packs, key=lambda p: -lengths[p[0]])  # the long ones do not all come first


def test_epochs_differ_in_order_and_draw() -> None:
    lengths = [10] * 40
    one, two = (packing.one_epoch(lengths, [Mix(list(range(40)), 0.5)], 50, 0, e, "pack") for e in (0, 1))
    drawn = [sorted(i for b in x for i in b) for x in (one, two)]
    assert len(drawn[0]) == len(drawn[1]) == 20
    assert drawn[0] != drawn[1]


# --- losses


@pytest.fixture(scope="module")
def model() -> Any:
    small.needs_training()
    import torch

    from mentalglm.train.llm import attention
    from mentalglm.train.llm.model import new_model
    from mentalglm.train.llm.recipe import NewBase

    torch.set_num_threads(1)
    attention.register()
    made = new_model(NewBase(hidden=32, layers=2, heads=2, kv_heads=1, ffn=64), small.tokenizer(), 0)
    with torch.no_grad():  # random weights attend nearly evenly: sharper, so that a leak shows
        for p in made.parameters():
            p.mul_(3)
    return made.eval()


def examples() -> list[Any]:
    encoder = small.encoder()
    texts = small.texts()
    return [encoder.example(u[:80], a[:90]) for u, a in zip(texts[:12:2], texts[1:12:2], strict=True)]


def losses(model: Any, inputs: dict[str, Any], attention: str) -> list[float]:
    """The loss at every target, in order."""
    import torch
    from torch.nn.functional import cross_entropy

    model.set_attn_implementation(attention)
    given = {k: v for k, v in inputs.items() if k != "shift_labels" and (k != "blocks" or attention != "sdpa")}
    with torch.no_grad():
        logits = model(**given, use_cache=False).logits
    flat = cross_entropy(logits.flatten(0, 1), inputs["shift_labels"].flatten(), ignore_index=-100, reduction="none")
    return flat[inputs["shift_labels"].flatten() != -100].tolist()


@pytest.mark.parametrize("attention", ["sdpa", "mentalglm_blocks"])
def test_packed_losses_are_the_unpacked_ones(model: Any, attention: str) -> None:
    made = examples()
    alone = [x for e in made for x in losses(model, packing.padded([e], 0), "sdpa")]
    assert losses(model, packing.packed(made), attention) == pytest.approx(alone, abs=1e-4)
    assert losses(model, packing.padded(made, 0), "sdpa") == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "mentalglm_blocks"])
def test_no_example_sees_another(model: Any, attention: str) -> None:
    first, *rest = examples()
    other = first._replace(ids=[(i + 7) % 500 for i in first.ids])
    n = len(first.ids) - first.answer
    kept = [losses(model, packing.packed([x, *rest]), attention) for x in (first, other)]
    assert kept[0][:n] != pytest.approx(kept[1][:n], abs=1e-3)
    assert kept[0][n:] == kept[1][n:]


def test_without_the_blocks_they_would(model: Any) -> None:
    """The guard of the test above: positions that run on are one example, and everything is seen."""
    import torch

    made = examples()
    inputs = packing.packed(made)
    inputs["position_ids"] = torch.arange(inputs["position_ids"].shape[1])[None]
    alone = [x for e in made for x in losses(model, packing.padded([e], 0), "sdpa")]
    assert losses(model, inputs, "sdpa") != pytest.approx(alone, abs=1e-2)


def test_the_loss_of_a_step_is_over_its_answer_tokens(model: Any) -> None:
    from mentalglm.train.llm import attention
    from mentalglm.train.llm.trainer import nll

    made = examples()
    alone = [x for e in made for x in losses(model, packing.padded([e], 0), "sdpa")]
    for name, inputs in ((attention.NAME, packing.packed(made)), ("sdpa", packing.padded(made, 0))):
        model.set_attn_implementation(name)
        total, count = nll(model, inputs)
        assert int(count) == len(alone) == sum(len(e.ids) - e.answer for e in made)
        assert total.item() == pytest.approx(sum(alone), rel=1e-5)


def test_blocks_refuse_what_is_no_packed_row(model: Any) -> None:
    from mentalglm.train.llm import attention

    model.set_attn_implementation(attention.NAME)
    inputs = packing.packed(examples())
    with pytest.raises(ValueError, match="packed rows"):
        model(input_ids=inputs["input_ids"], blocks=[1, 2], use_cache=False)
