"""The base of a run: tokenizer and weights, from a hub id, a folder, a GGUF file, or new."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mentalglm.errors import MissingError, UserError

from .recipe import Base, NewBase, Recipe, Tune

# The special tokens of GLM-4, in the order of its tokenizer; Qwen's markers too, so that a new base may be of any family.
SPECIALS = ("<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
            "<|observation|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")  # fmt: skip


def needs(recipe: Recipe) -> None:
    """Raises MissingError for a package that the recipe asks for and that is not installed."""
    wanted = ["torch", "transformers", "accelerate"]
    wanted += ["peft"] * any(s.tune != "full" for s in recipe.stages)
    wanted += ["bitsandbytes"] * any(s.tune == "qlora" for s in recipe.stages)
    wanted += ["gguf"] * bool(recipe.base.gguf)
    wanted += ["deepspeed"] * recipe.fit.parallel.startswith("zero")
    wanted += ["flash_attn"] * (recipe.fit.attention == "flash_attention_2")
    wanted += list(recipe.fit.track)
    gone = [name for name in wanted if not find_spec(name)]
    if gone:
        named = " ".join(g.replace("_", "-") for g in gone)
        why = "qlora needs bitsandbytes, which" if gone == ["bitsandbytes"] else f"the recipe needs {named}, which"
        mend = f"pip install {named}" + (', or set tune = "lora"' if gone == ["bitsandbytes"] else "")
        raise MissingError(f"{why} is not installed", mend)


def inputs(base: Base) -> dict[str, Path]:
    """The files of a base in a folder, for the run's hash; a hub id is identified by its revision."""
    if base.path is None:
        return {}
    folder = Path(base.path)
    if not folder.is_dir():
        raise MissingError(
            f"there is no folder {folder} with a base model", "name one that holds config.json and weights"
        )
    if base.gguf:
        return {base.gguf: folder / base.gguf}
    wanted = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    files = [folder / name for name in wanted if (folder / name).is_file()] + sorted(folder.glob("*.safetensors"))
    if not files:
        raise MissingError(f"{folder} holds no model", "name a folder that holds config.json and weights")
    return {f"base/{f.name}": f for f in files}


def tokenizer_of(base: Base, texts: Iterable[str], folder: Path) -> Any:
    """The base's tokenizer. That of a new base is made from `texts` once, and kept in `folder`."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if base.new is not None:
        if not (folder / "tokenizer.json").is_file():
            made = PreTrainedTokenizerFast(
                tokenizer_object=new_tokenizer(texts, base.new.vocabulary),
                eos_token="<|endoftext|>",
                pad_token="<|endoftext|>",
                additional_special_tokens=list(SPECIALS[1:12]),
                clean_up_tokenization_spaces=False,
            )
            made.save_pretrained(folder)
        return AutoTokenizer.from_pretrained(folder)
    with loading(base):
        return AutoTokenizer.from_pretrained(_where(base), revision=base.revision, **_gguf(base))


def new_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE over `texts` with GLM's special tokens: no text is unknown to it, and every decoding is exact."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    # Han characters, letters, digits one by one, marks: merges stay inside, as in GLM-4's own pattern.
    pattern = r"\p{Han}+|[^\r\n\p{L}\p{N}]?[^\W\d_\p{Han}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
    from tokenizers import Regex

    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(SPECIALS),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in SPECIALS[:12]])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in SPECIALS[12:]])
    return tokenizer


def new_model(new: NewBase, tokenizer: Any, seed: int) -> Any:
    """A model of this architecture with random weights in 32 bits."""
    import torch
    import transformers

    name = {"glm4": "Glm4", "glm": "Glm", "qwen3": "Qwen3"}[new.architecture]
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer),
        hidden_size=new.hidden,
        num_hidden_layers=new.layers,
        num_attention_heads=new.heads,
        num_key_value_heads=new.kv_heads,
        head_dim=new.hidden // new.heads,
        intermediate_size=new.ffn,
        max_position_embeddings=new.length,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    return getattr(transformers, f"{name}ForCausalLM")(config)


def load(where: Base | Path, tokenizer: Any, tune: Tune, dtype: str, seed: int) -> Any:
    """The weights of a base, or of a folder that an earlier stage wrote.

    dtype: of the frozen weights; what is tuned in full is kept in 32 bits, and computed in `dtype` by autocast.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if isinstance(where, Base) and where.new is not None:
        return new_model(where.new, tokenizer, seed)
    kept = torch.float32 if tune == "full" else getattr(torch, dtype)
    further: dict[str, Any] = {}
    if tune == "qlora":
        from transformers import BitsAndBytesConfig

        further["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=kept
        )
    if isinstance(where, Path):
        return AutoModelForCausalLM.from_pretrained(where, dtype=kept, **further)
    with loading(where):
        return AutoModelForCausalLM.from_pretrained(
            _where(where), revision=where.revision, dtype=kept, **_gguf(where), **further
        )


def revision_of(base: Base, model: Any) -> str | None:
    """The commit that a hub id stood at when it was loaded."""
    return getattr(model.config, "_commit_hash", None) or base.revision


@contextlib.contextmanager
def loading(base: Base) -> Iterator[None]:
    """Turns what the hub, or a folder, answers into one line."""
    try:
        yield
    except (OSError, ValueError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise MissingError(
            f"the base {base.hub or base.path} cannot be loaded: {first[:200]}",
            "is the name right, and the network there? A folder that holds the files works too: base.path",
        ) from None


def device() -> str:
    """`cuda`, or `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype_of(asked: str) -> str:
    """The type of the arithmetic: bfloat16 where the device has it."""
    import torch

    if asked != "auto":
        if asked == "bfloat16" and device() == "cuda" and not torch.cuda.is_bf16_supported():
            raise UserError("this GPU has no bfloat16", 'set fit.dtype = "float32"')
        return asked
    return "bfloat16" if device() == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def attention_of(asked: str, packing: str) -> str:
    """The attention of a run on this machine, as transformers calls it."""
    from . import attention

    if asked == "blocks" or (asked == "auto" and packing == "pack" and device() == "cpu"):
        if packing != "pack":
            raise UserError("fit.attention = blocks is for packed rows", 'set fit.packing = "pack"')
        attention.register()
        return attention.NAME
    if asked != "auto":
        return asked
    return "flash_attention_2" if device() == "cuda" and find_spec("flash_attn") else "sdpa"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps the libraries' own bars and notes out of the progress lines; their errors stay."""
    from transformers.utils import logging as theirs

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    before = theirs.get_verbosity()
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    others = [logging.getLogger(n) for n in ("accelerate", "peft", "torch.distributed")]
    levels = [x.level for x in others]
    for x in others:
        x.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers, none of our concern
            yield
    finally:
        theirs.set_verbosity(before)
        theirs.enable_progress_bar()
        for x, level in zip(others, levels, strict=True):
            x.setLevel(level)


def _where(base: Base) -> str:
    return str(base.hub or base.path)


def _gguf(base: Base) -> dict[str, str]:
    return {"gguf_file": base.gguf} if base.gguf else {}
