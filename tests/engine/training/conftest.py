"""A tiny model folder that the real loaders read, and rows over its bytes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.model.load import LocalModel, load_base
from engine.records.dataset import DatasetRow
from engine.records.prompt import Message
from engine.records.question import Split

_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, one token a byte, random weights: decided by a seed."""
    folder = tmp_path_factory.mktemp("model")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>")
    fast.chat_template = _TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True, initializer_range=0.3,
        bos_token_id=None, eos_token_id=fast.eos_token_id, pad_token_id=fast.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def local(model_folder: Path) -> LocalModel:
    loaded = load_base(model_folder, device="cpu", dtype="float32")
    torch.set_num_threads(1)
    return loaded


MakeRow = Callable[..., DatasetRow]


@pytest.fixture
def make_row(local: LocalModel) -> MakeRow:
    """A row from texts; `edited_from` None: the teacher's distribution holds for the whole answer."""

    def make(
        number: int, question: str, answer: str, *, edited_from: int | None = None, split: Split = "train"
    ) -> DatasetRow:
        completion = tuple(local.format.completion_ids(answer))
        return DatasetRow(
            example_id=number,
            question_id=number,
            split=split,
            question_ids=tuple(local.format.question_ids([Message("user", question)])),
            completion_ids=completion,
            edited_from=len(completion) if edited_from is None else edited_from,
            fixed=(False,) * len(completion),
        )

    return make
