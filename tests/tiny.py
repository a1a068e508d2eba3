"""A tiny random chat model on disk, made in a second: a Llama over bytes with a ChatML template, or one of a family.

It goes through the same files, template and loading code as a real model; only its answers mean nothing.
"""

import json
import string
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from engine.paths import Home
from tests.families import Family

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")  # ids 0, 1, 2; the 256 bytes follow

_MESSAGES = """\
{%- for message in messages -%}
{%- if loop.first and message['role'] != 'system' and DEFAULT -%}
{{- '<|im_start|>system\\n' + DEFAULT + '<|im_end|>\\n' -}}
{%- endif -%}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""


def make_tiny_base(
    folder: Path,
    *,
    seed: int = 0,
    hidden_size: int = 32,
    layers: int = 2,
    context_length: int = 2_048,
    default_system: str = "",
    dtype: str = "float32",
) -> Path:
    """Write a random model with tokenizer and chat template to `folder` (created) and return it.

    The vocabulary is the 256 bytes and three special tokens, so every text can be encoded and decoded. With
    `default_system` the template adds that text if there is no system message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    template = _MESSAGES.replace("DEFAULT", json.dumps(default_system))
    family = Family(
        "LlamaConfig", SPECIAL, template, "", SPECIAL[2], SPECIAL[2:], options={"tie_word_embeddings": True}
    )
    size = _write_tokenizer(folder, family, context_length)
    _write_model(folder, family, size, seed, hidden_size, layers, context_length, dtype)
    return folder


def downloaded(home: Home, name: str) -> Path:
    """The folder in which a hub model counts as downloaded, laid out as the hub's library does."""
    repository = home.cache / "models" / "hub" / f"models--{name.replace('/', '--')}"
    for made in ("refs", "snapshots"):
        (repository / made).mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    return repository / "snapshots" / "abc"


def make_tiny_family(
    folder: Path, family: Family, *, seed: int = 0, hidden_size: int = 32, layers: int = 2, context_length: int = 2_048
) -> Path:
    """Write the same for a family: with its architecture, its tokens and its chat template."""
    folder.mkdir(parents=True, exist_ok=True)
    size = _write_tokenizer(folder, family, context_length)
    _write_model(folder, family, size, seed, hidden_size, layers, context_length, "float32")
    return folder


def _write_tokenizer(folder: Path, family: Family, context_length: int) -> int:
    special = [
        AddedToken(token, special=True, normalized=False, rstrip=family.strips_right) for token in family.special
    ]
    thinking = [AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>")]
    tokenizer = _byte_tokenizer(family) if family.pieces == "bytes" else _marked_tokenizer(family)
    tokenizer.add_special_tokens(special)
    if family.thinks:
        tokenizer.add_tokens(thinking)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": family.bos,
        "eos_token": family.eos or family.stop,
        "pad_token": family.special[0],
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "chat_template": family.template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return tokenizer.get_vocab_size()


def _byte_tokenizer(family: Family) -> Tokenizer:
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate((*family.special, *symbols))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _marked_tokenizer(family: Family) -> Tokenizer:
    """A tokenizer like sentencepiece's: a mark for each space, and bytes for unknown characters."""
    pieces = [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", *string.ascii_letters, "▁H"]
    vocabulary = {token: index for index, token in enumerate((*family.special, *pieces))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("▁", "H")], byte_fallback=True))
    marks: list[normalizers.Normalizer] = [normalizers.Replace(" ", "▁")]
    spaces: list[decoders.Decoder] = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if family.pieces == "prepend":
        marks.insert(0, normalizers.Prepend("▁"))
        spaces.append(decoders.Strip(" ", 1, 0))
    tokenizer.normalizer = normalizers.Sequence(marks)
    tokenizer.decoder = decoders.Sequence(spaces)
    return tokenizer


def _write_model(
    folder: Path, family: Family, size: int, seed: int, hidden_size: int, layers: int, context_length: int, dtype: str
) -> None:
    import torch
    import transformers

    ids = {token: index for index, token in enumerate(family.special)}
    ends = [ids[token] for token in family.ends]
    heads = 4
    usual = {
        "vocab_size": size,
        "hidden_size": hidden_size,
        "intermediate_size": 2 * hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 2,
        "head_dim": hidden_size // heads,
        "max_position_embeddings": context_length,
        "initializer_range": 0.3,  # wide enough that the random model prefers some tokens to others
        "bos_token_id": ids[family.bos] if family.bos else None,
        "eos_token_id": ids[family.stop],
        "pad_token_id": 0,
    }
    config = getattr(transformers, family.config)(**usual | family.options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if family.whole is None:
            model = transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
        else:
            place = {"image_token_index": ids["[IMG]"]} if "[IMG]" in ids else {}
            whole = getattr(transformers, family.whole)(
                text_config=config.to_dict(), vision_config=family.vision, **place
            )
            if family.processor:
                (folder / "preprocessor_config.json").write_text(json.dumps(family.processor), encoding="utf-8")
            model = transformers.AutoModelForImageTextToText.from_config(whole, dtype=getattr(torch, dtype))
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=ends if len(ends) > 1 else ends[0], pad_token_id=0
    )
    model.save_pretrained(folder)
