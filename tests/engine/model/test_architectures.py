"""Architectures beside the families: loaded, and trained behind a shared prompt, or refused with the reason."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import ModelError
from engine.model.load import load_base
from engine.model.local_model import LocalModel
from engine.training.batches import make_batch, shared_prompt_batch
from tests.engine.training.test_shared_prompt import losses, rows
from tests.families import FAMILIES
from tests.tiny import make_tiny_family

_WINDOW: dict[str, object] = {"sliding_window": 12}
SUPPORTED: dict[str, dict[str, object]] = {
    "ApertusConfig": {},
    "ArceeConfig": {},
    "Cohere2Config": _WINDOW | {"layer_types": ["sliding_attention", "full_attention"]},
    "Ernie4_5Config": {},
    "Exaone4Config": _WINDOW | {"layer_types": ["sliding_attention", "full_attention"]},
    "Gemma4TextConfig": _WINDOW | {"layer_types": ["sliding_attention", "full_attention"]},
    "Glm4Config": {},
    "GraniteConfig": {},
    "HeliumConfig": {},
    "HunYuanDenseV1Config": {},
    "Ministral3Config": {},
    "MinistralConfig": _WINDOW | {"layer_types": ["sliding_attention", "full_attention"]},
    "MixtralConfig": {"num_local_experts": 4},
    "Olmo2Config": {},
    "Olmo3Config": _WINDOW | {"layer_types": ["sliding_attention", "full_attention"]},
    "SeedOssConfig": {},
    "SmolLM3Config": {},
}
REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "GptOssConfig": ({"num_local_experts": 4, "num_experts_per_tok": 2}, "attention sinks"),
    "Llama4TextConfig": ({"num_local_experts": 2, "intermediate_size_mlp": 64}, "chunked_attention"),
}


def load_architecture(folder: Path, config: str, options: dict[str, object]) -> LocalModel:
    """A tiny random model with this configuration class of transformers."""
    return load_base(write(folder, config, options), device="cpu", dtype="float32")


def write(folder: Path, config: str, options: dict[str, object]) -> Path:
    family = replace(FAMILIES["qwen2.5"], config=config, options=options)
    return make_tiny_family(folder, family)


@pytest.mark.parametrize("config", SUPPORTED)
def test_architecture_is_loaded_and_reads_rows_behind_one_prompt_like_separate_rows(
    config: str, tmp_path: Path
) -> None:
    local = load_architecture(tmp_path, config, SUPPORTED[config])
    together, apart = shared_prompt_batch(rows(), 40), make_batch(rows())
    assert torch.allclose(losses(local, together), losses(local, apart), atol=1e-4)


@pytest.mark.parametrize("config", REFUSED)
def test_architecture_that_no_shared_prompt_reproduces_is_refused_with_the_reason(config: str, tmp_path: Path) -> None:
    options, reason = REFUSED[config]
    with pytest.raises(ModelError, match="architecture is not supported") as refused:
        load_architecture(tmp_path, config, options)
    assert reason in refused.value.message
    assert "such as Llama 3" in refused.value.next


def test_model_that_is_no_text_decoder_is_refused_without_a_list_of_all_others(tmp_path: Path) -> None:
    write(tmp_path, "MixtralConfig", {})
    (tmp_path / "config.json").write_text(
        '{"model_type": "mistral3", "text_config": {"max_position_embeddings": 2048}}'
    )
    with pytest.raises(ModelError, match="Unrecognized configuration class") as refused:
        load_base(tmp_path, device="cpu", dtype="float32")
    assert len(refused.value.message) < 400
