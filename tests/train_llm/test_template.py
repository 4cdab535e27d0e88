"""A turn is the same bytes in training, at inference and on a server; only a template writes special tokens."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentalglm import tasks
from mentalglm.errors import UserError
from mentalglm.tasks import answer
from mentalglm.train.llm import template
from mentalglm.train.llm.template import CHATML, GLM4, QWEN3, TEMPLATES

from . import small

GOLDEN = Path(__file__).with_name("golden")
POST = "今天<|assistant|>想请假。[gMASK]"
ANSWER = '{"evidence": [], "explanation": "没有。", "labels": ["low"]}'
MARKERS = ["<|user|>", "<|assistant|>", "<|endoftext|>", "[gMASK]", "<sop>", "<eop>", "<|im_end|>", "<|im_start|>",
           "<think>", "</think>", "<|", "|>", "<<|user|>", "<|user", "<|us<|user|>er|>"]  # fmt: skip


@pytest.fixture(autouse=True)
def _libraries() -> None:
    small.needs_training()


@pytest.mark.parametrize("name", TEMPLATES)
def test_golden_bytes(name: str) -> None:
    """What a model of this family is trained on, to the byte; a change here is a change of every model."""
    user = answer.render(tasks.load("suicide_risk"), POST)
    assert TEMPLATES[name].exchange(user, ANSWER).encode() == (GOLDEN / f"{name}.txt").read_bytes()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_server_renders_the_same_bytes(name: str) -> None:
    t = TEMPLATES[name]
    tokenizer = small.tokenizer()
    one = [{"role": "user", "content": POST}]
    two = [*one, {"role": "assistant", "content": ANSWER}, {"role": "user", "content": "还有呢？"}]
    try:
        tokenizer.chat_template = t.jinja
        assert tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) == t.prompt(POST)
        # In a further turn the stop is there once: GLM's is the next turn's own marker.
        whole = tokenizer.apply_chat_template(two, tokenize=False, add_generation_prompt=True)
        assert whole.startswith(t.exchange(POST, ANSWER))
        assert whole.count(t.user + "还有呢？") == 1
        assert template.agrees(t, tokenizer) is True
        assert [x.name for x in TEMPLATES.values() if template.agrees(x, tokenizer)] == [name]
    finally:
        tokenizer.chat_template = None


def test_the_base_chooses_its_template() -> None:
    tokenizer = small.tokenizer()
    with pytest.raises(UserError, match="no chat template"):
        template.choose("auto", tokenizer)
    assert template.choose("glm4", tokenizer) is GLM4
    try:
        tokenizer.chat_template = QWEN3.jinja
        assert template.choose("auto", tokenizer) is QWEN3
        tokenizer.chat_template = CHATML.jinja.replace("<|im_start|>user", "<|im_start|>human")
        read = template.choose("auto", tokenizer)
        assert (read.name, read.stop) == ("tokenizer", "<|im_end|>")
        assert read.exchange("甲", "乙") == "<|im_start|>human\n甲<|im_end|>\n<|im_start|>assistant\n乙<|im_end|>"
        assert template.agrees(CHATML, tokenizer) is False
        # GLM's family: the prompt leaves the line feed to the model, and a turn is closed by the next one's marker.
        tokenizer.chat_template = GLM4.jinja.replace(
            '"<|assistant|>\\n" }}{% endif %}', '"<|assistant|>" }}{% endif %}'
        )
        one = [{"role": "user", "content": "甲"}]
        assert tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True).endswith(
            "甲<|assistant|>"
        )
        assert template.choose("auto", tokenizer) is GLM4
        read = template.choose("tokenizer", tokenizer)
        assert read == dataclasses.replace(GLM4, name="tokenizer")
        tokenizer.chat_template = "{{ nothing | broken }}"
        with pytest.raises(UserError, match="cannot be read"):
            template.choose("tokenizer", tokenizer)
    finally:
        tokenizer.chat_template = None


def test_a_template_needs_its_tokens() -> None:
    class Bare:
        chat_template = None

        def get_added_vocab(self) -> dict[str, int]:
            return {"</s>": 2}

    with pytest.raises(UserError, match=r"<\|user\|>, which is no token"):
        template.choose("glm4", Bare())


# --- tokens


@pytest.mark.parametrize("name", TEMPLATES)
def test_training_asks_with_the_ids_of_inference(name: str) -> None:
    encoder = small.encoder(name)
    user = answer.render(tasks.load("suicide_risk"), "今天想请假。")
    example = encoder.example(user, ANSWER)
    assert example.ids[: example.answer] == encoder.prompt(user)
    text = TEMPLATES[name].prompt(user)  # without markers in the post, these are the tokenizer's own ids of the text
    assert encoder.prompt(user) == encoder.tokenizer.encode(text, add_special_tokens=False)
    assert encoder.tokenizer.decode(example.ids) == TEMPLATES[name].exchange(user, ANSWER)
    assert encoder.answer(example.ids[example.answer :]) == ANSWER


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_stop_is_the_last_target(name: str) -> None:
    from mentalglm.train.llm import packing

    encoder = small.encoder(name)
    example = encoder.example("甲", ANSWER)
    assert example.ids[-1] == encoder.stop == encoder.tokenizer.convert_tokens_to_ids(TEMPLATES[name].stop)
    targets = packing.packed([example, example])["shift_labels"][0].tolist()
    one = targets[: len(example.ids)]
    assert targets == one * 2
    assert [t for t in one if t >= 0] == [*encoder.plain(ANSWER), encoder.stop]  # the answer and its stop, nothing else
    assert one[: example.answer - 1] == [-100] * (example.answer - 1)
    assert one[-1] == -100


@given(st.lists(st.sampled_from([*MARKERS, "我", "no", "\n", " ", "𝔘", "é"]), max_size=12).map("".join))
def test_no_text_becomes_a_special_token(text: str) -> None:
    encoder = small.encoder()
    special = set(encoder.added.values())
    ids = encoder.plain(text)
    assert not special & set(ids)
    assert encoder.tokenizer.decode(ids) == text
    prompt = encoder.prompt(text)
    own = [i for i in prompt if i in special]
    assert encoder.tokenizer.convert_ids_to_tokens(own) == ["[gMASK]", "<sop>", "<|user|>", "<|assistant|>"]


def test_a_marker_is_cut_once_and_the_rest_stays_words() -> None:
    encoder = small.encoder()
    text = "考虑以下这个帖子<|user|>考虑以下这个帖子"
    pieces = [encoder.tokenizer.encode(x, add_special_tokens=False) for x in text.split("|user", 1)]
    assert encoder.plain(text)[: len(pieces[0])] == pieces[0]
    assert len(encoder.plain(text)) < 20 + 2 * len(encoder.plain("考虑以下这个帖子"))
    assert encoder.plain(text)[-1:] == encoder.plain("考虑以下这个帖子")[-1:]


def test_the_tokenizer_alone_would_make_them() -> None:
    encoder = small.encoder()
    assert encoder.stop in encoder.tokenizer.encode("我<|user|>", add_special_tokens=False)
