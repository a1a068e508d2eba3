"""Tiny random models with a real byte-level tokenizer, in model folders like real ones, and their reference logits."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from engine.model.load import load_base
from engine.model.local_model import LocalModel
from tests.trained import use_one_thread

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' "
    "+ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "[INST]", "[/INST]", "<bos>", "<eos>"),
    *("<start_of_turn>", "<end_of_turn>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
    *("<|eot_id|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
]
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CONFIGS: dict[str, Callable[[int], PretrainedConfig]] = {
    "llama": lambda size: LlamaConfig(vocab_size=size, tie_word_embeddings=True, **SIZES),
    "qwen2": lambda size: Qwen2Config(vocab_size=size, **SIZES),
    "qwen3": lambda size: Qwen3Config(vocab_size=size, **SIZES),
    "mistral-window": lambda size: MistralConfig(vocab_size=size, sliding_window=6, **SIZES),
    "gemma2": lambda size: Gemma2Config(vocab_size=size, sliding_window=6, query_pre_attn_scalar=8, **SIZES),
    "gpt-oss": lambda size: GptOssConfig(
        vocab_size=size, sliding_window=6, num_local_experts=4, num_experts_per_tok=2, **SIZES
    ),
}


def write_tokenizer(folder: Path, template: str = CHATML, bos: str = "<|endoftext|>", eos: str = "<|im_end|>") -> int:
    """Write a byte-level tokenizer with the special tokens of several families; return its vocabulary size."""
    alphabet = sorted(ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet, "Ċ" * 2, "he", "ll"])}
    merges = [("Ċ", "Ċ"), ("h", "e"), ("l", "l")]
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos, "pad_token": eos})
    )
    (folder / "chat_template.jinja").write_text(template)
    return tokenizer.get_vocab_size()


def write_format(folder: Path, template: str, bos: str, eos: str) -> Path:
    """Write a model folder without weights, enough to load a chat format."""
    write_tokenizer(folder, template, bos, eos)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 128}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [SPECIAL.index(eos)]}))
    return folder


def write_model(folder: Path, kind: str = "llama", seed: int = 0) -> Path:
    """Write a tiny random model of one architecture, with weights large enough that answers vary."""
    size = write_tokenizer(folder)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIGS[kind](size), dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 or name.endswith("sinks"):
                parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    return folder


def load_on_cpu(folder: Path) -> LocalModel:
    return load_base(folder, device="cpu", dtype="float32")


def logits(local: LocalModel) -> torch.Tensor:
    """The logits of a short fixed text, (1, T, V)."""
    ids = torch.tensor([[5, 40, 61, 33]])
    with torch.inference_mode():
        return local.logits(local.backbone(input_ids=ids, use_cache=False).last_hidden_state)


def eager_logits(local: LocalModel, ids: list[int]) -> torch.Tensor:
    """The logits of one forward pass with transformers' eager attention, which shares no code with the engine's."""
    implementation = local.base.config._attn_implementation
    local.base.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            found: torch.Tensor = local.base(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    finally:
        local.base.set_attn_implementation(implementation)
    return found


@pytest.fixture(scope="session", autouse=True)
def single_thread() -> Iterator[None]:
    """Tiny matrices gain nothing from a second thread, and waiting for it is slow on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        use_one_thread(patch)
        yield


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "llama")
