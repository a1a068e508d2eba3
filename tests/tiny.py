"""A tiny random chat model on disk, made in a second: a Llama over a byte tokenizer, with a ChatML template.

It goes through the same files, template and loading code as a real model; only its answers mean nothing.
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

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

    The vocabulary is the 256 bytes and three special tokens, so every text has ids and comes back from them. With
    `default_system` the template slips that text in where no system message is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder, default_system, context_length)
    _write_model(folder, seed, hidden_size, layers, context_length, dtype)
    return folder


def _write_tokenizer(folder: Path, default_system: str, context_length: int) -> None:
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate((*SPECIAL, *symbols))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "chat_template": _MESSAGES.replace("DEFAULT", json.dumps(default_system)),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _write_model(folder: Path, seed: int, hidden_size: int, layers: int, context_length: int, dtype: str) -> None:
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(SPECIAL) + 256,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context_length,
        tie_word_embeddings=True,
        initializer_range=0.3,  # wide enough that the random model prefers some tokens to others
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).to(getattr(torch, dtype))
    model.generation_config = GenerationConfig(eos_token_id=2, pad_token_id=0)
    model.save_pretrained(folder)
