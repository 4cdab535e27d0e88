"""TRL and LLaMA-Factory take the files as they are. Skipped where they are not installed; no model, no network.

Run in an environment that has one of them: `PYTHONPATH=src:. python -m pytest tests/build/test_export_tools.py`.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mentalglm.build.export import SPLITS, export
from mentalglm.build.export.llama_factory import entry_name
from tests.build.exported import META, many

# Roles as GLM-4 marks them; `generation` is what TRL takes the assistant's tokens from.
TEMPLATE = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m['role'] }}|>\n"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}{% endgeneration %}{% else %}{{ m['content'] }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dataset") / "c"
    export(many(), (), path, META)
    return path


def tokenizer() -> Any:
    """Every character is a token, and so is every role marker: nothing to download."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    characters = sorted({ch for r in many() for m in r["messages"] for ch in m["content"]} | set(TEMPLATE))
    special = ["<unk>", "<pad>", "<|user|>", "<|assistant|>", "[gMASK]", "<sop>", "<|endoftext|>"]
    words = {word: i for i, word in enumerate([*special, *characters])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    out = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="<|endoftext|>",
        additional_special_tokens=special[2:6],
    )
    out.chat_template = TEMPLATE
    return out


def test_trl_takes_the_messages(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM  # pyright: ignore[reportMissingImports]
    from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportMissingImports]
    from trl.data_utils import apply_chat_template, is_conversational  # pyright: ignore[reportMissingImports]

    data = datasets.load_dataset("json", data_files=str(folder / "messages/train.jsonl"), cache_dir=str(tmp_path))[
        "train"
    ]
    assert is_conversational(data[0])
    words = tokenizer()
    text = apply_chat_template(data[0], words)["text"]
    assert all(m["content"] in text for m in data[0]["messages"])
    config = LlamaConfig(vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=2)  # fmt: skip
    arguments = SFTConfig(output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=2, max_length=4096,
                          assistant_only_loss=True, report_to=[], use_cpu=True, bf16=False, disable_tqdm=True,
                          save_strategy="no")  # fmt: skip
    trainer = SFTTrainer(LlamaForCausalLM(config), arguments, train_dataset=data, processing_class=words)
    batch = next(iter(trainer.get_train_dataloader()))
    learned = batch["labels"][0][batch["labels"][0] != -100]
    answers = {m["content"] for r in many() for m in r["messages"] if m["role"] == "assistant"}
    assert "".join(words.convert_ids_to_tokens(learned.tolist())) in answers
    loss = trainer.train().training_loss
    assert torch.isfinite(torch.tensor(loss))


@pytest.mark.parametrize("style", ["messages", "alpaca"])
@pytest.mark.parametrize("split", SPLITS)
def test_llama_factory_takes_the_entries(
    style: str, split: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    loader = pytest.importorskip("llamafactory.data.loader")
    from llamafactory.data.parser import get_dataset_list  # pyright: ignore[reportMissingImports]
    from llamafactory.hparams import DataArguments, ModelArguments  # pyright: ignore[reportMissingImports]

    where = str(folder / "llama_factory")
    (entry,) = get_dataset_list([entry_name(style, split)], where)
    model = ModelArguments(model_name_or_path="none", cache_dir=str(tmp_path))
    data = DataArguments(dataset_dir=where, template="glm4", preprocessing_num_workers=1)
    training = SimpleNamespace(local_process_index=0, should_log=False)
    loaded = loader._load_single_dataset(entry, model, data, training)
    expected = [r for r in many() if r["split"] == split]
    assert len(loaded) == len(expected)
    said = {r["_response"][0]["content"] for r in loaded}
    assert said == {r["messages"][1]["content"] for r in expected}
    assert all(r["_prompt"][-1]["role"] == "user" and r["_response"][0]["role"] == "assistant" for r in loaded)
    if style == "messages":
        assert {r["_prompt"][0]["content"] for r in loaded} == {r["messages"][0]["content"] for r in expected}
