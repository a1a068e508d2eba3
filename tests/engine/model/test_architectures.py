"""Architectures beside the families: loaded, and trained behind a shared prompt, or refused with the reason."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import ModelError
from engine.model.decode import decode
from engine.model.folder import stored_dtype
from engine.model.load import load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.merge import merge
from engine.model.prompt_cache import PromptCache
from engine.model.shapes import read_shapes
from engine.model.targets import lora_targets
from engine.records.run import TrainingConfig
from engine.releases.tokenizer import write_tokenizer
from engine.training.batches import make_batch, shared_prompt_batch
from engine.training.student import trained_parameters, with_new_adapter
from tests.engine.training.test_shared_prompt import losses, rows
from tests.families import FAMILIES, GATED_DELTA_NET, LATENT_ATTENTION, VISION
from tests.tiny import make_tiny_family
from tests.trained import make_tiny_adapter

_WINDOW: dict[str, object] = {"sliding_window": 12}
_LAYERS: dict[str, object] = _WINDOW | {"layer_types": ["sliding_attention", "full_attention"]}
# Some layers attend to the keys and values of earlier ones.
_REUSED: dict[str, object] = _WINDOW | {
    "num_hidden_layers": 4, "num_kv_shared_layers": 2, "layer_types": ["sliding_attention", "full_attention"] * 2,
    "vocab_size_per_layer_input": 259, "hidden_size_per_layer_input": 8,
}  # fmt: skip
SUPPORTED: dict[str, dict[str, object]] = {
    "ApertusConfig": {},
    "ArceeConfig": {},
    "Cohere2Config": _LAYERS,
    "DeepseekV2Config": LATENT_ATTENTION,
    "DeepseekV3Config": LATENT_ATTENTION,
    "Ernie4_5Config": {},
    "Exaone4Config": _LAYERS,
    "Gemma4TextConfig": _LAYERS,
    "Gemma4UnifiedTextConfig": _LAYERS,
    "Gemma3nTextConfig": _REUSED | {"activation_sparsity_pattern": [0.0] * 4},
    "Gemma4TextConfig that reuses": _REUSED | {"global_head_dim": 16},
    "Glm4Config": {},
    "Glm4MoeLiteConfig": LATENT_ATTENTION,
    "GptOssConfig": _LAYERS | {"num_local_experts": 4, "num_experts_per_tok": 2},
    "GraniteConfig": {},
    "HeliumConfig": {},
    "HunYuanDenseV1Config": {},
    "Ministral3Config": {},
    "MiniCPM3Config": LATENT_ATTENTION,
    "MinistralConfig": _LAYERS,
    "MixtralConfig": {"num_local_experts": 4},
    "Olmo2Config": {},
    "Olmo3Config": _LAYERS,
    "SeedOssConfig": {},
    "SmolLM3Config": {},
    "YoutuConfig": LATENT_ATTENTION,
}
_TOWER: dict[str, object] = {
    "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32, "patch_size": 4,
    "deepstack_visual_indexes": [0],
}  # fmt: skip
# By the configuration of the whole: that of its decoder with options, and the options of what reads images.
WITH_IMAGES: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "Gemma3Config": ("Gemma3TextConfig", _LAYERS | {"query_pre_attn_scalar": 8}, VISION),
    "Gemma4Config": ("Gemma4TextConfig", _LAYERS, VISION | {"num_key_value_heads": 2, "head_dim": 8}),
    "InternVLConfig": ("Qwen3Config", {}, VISION),
    "Lfm2VlConfig": (
        "Lfm2Config", {"layer_types": ["conv", "full_attention"]}, VISION | {"model_type": "siglip2_vision_model"}
    ),
    "Qwen3VLConfig": ("Qwen3VLTextConfig", {}, _TOWER),
    "Qwen3_5Config": ("Qwen3_5TextConfig", GATED_DELTA_NET, _TOWER),
    "SmolVLMConfig": ("LlamaConfig", {}, VISION),
}  # fmt: skip
REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "DeepseekV32Config": (LATENT_ATTENTION, "chooses some of the tokens"),
    "Llama4TextConfig": ({"num_local_experts": 2, "intermediate_size_mlp": 64}, "chunked_attention"),
}


def load_architecture(folder: Path, config: str, options: dict[str, object]) -> LocalModel:
    """A tiny random model with this configuration class of transformers."""
    return load_base(write(folder, config, options), device="cpu", dtype="float32")


def write(folder: Path, config: str, options: dict[str, object]) -> Path:
    family = replace(FAMILIES["qwen2.5"], config=config.partition(" ")[0], options=options)
    return make_tiny_family(folder, family)


@pytest.mark.parametrize("config", SUPPORTED)
def test_architecture_is_loaded_and_reads_rows_behind_one_prompt_like_separate_rows(
    config: str, tmp_path: Path
) -> None:
    local = load_architecture(tmp_path, config, SUPPORTED[config])
    together, apart = shared_prompt_batch(rows(), 40), make_batch(rows())
    assert torch.allclose(losses(local, together), losses(local, apart), atol=1e-4)
    assert_answers_are_those_of_whole_sequences(local)


@pytest.mark.parametrize("whole", WITH_IMAGES)
def test_architecture_that_also_takes_images_is_asked_and_adapted_as_a_text_model(whole: str, tmp_path: Path) -> None:
    config, options, vision = WITH_IMAGES[whole]
    family = replace(FAMILIES["qwen2.5"], config=config, options=options, whole=whole, vision=vision)
    local = load_base(make_tiny_family(tmp_path, family), device="cpu", dtype="float32")
    assert_answers_are_those_of_whole_sequences(local)
    estimated = read_shapes(tmp_path).lora_parameters(4)
    student = with_new_adapter(local, TrainingConfig(base="tiny", lora_rank=4))
    adapted = {name for name, weight in student.model.named_parameters() if weight.requires_grad}
    assert not [name for name in adapted if "vision" in name or "visual" in name]
    assert sum(weight.numel() for weight in trained_parameters(student)) == estimated
    adapter = make_tiny_adapter(tmp_path, tmp_path / "adapter")
    merge(tmp_path, adapter, tmp_path / "merged")
    write_tokenizer(tmp_path, local.format.template, tmp_path / "merged")
    weights = {folder: load_file(folder / "model.safetensors") for folder in (tmp_path, tmp_path / "merged")}
    assert weights[tmp_path].keys() == weights[tmp_path / "merged"].keys(), "with what reads images"
    found, expected = (
        load_base(tmp_path / "merged", device="cpu", dtype="float32"),
        with_adapter(load_base(tmp_path, device="cpu", dtype="float32"), adapter),
    )
    ids = torch.arange(10, 30)[None]
    with torch.inference_mode():
        merged, adapted = (each.base(input_ids=ids, use_cache=False).logits for each in (found, expected))
    torch.testing.assert_close(merged, adapted, rtol=1e-3, atol=1e-3)


def test_latent_attention_is_adapted_except_for_the_layer_that_servers_fold_away(tmp_path: Path) -> None:
    local = load_architecture(tmp_path, "DeepseekV3Config", LATENT_ATTENTION)
    targets = lora_targets(local)
    assert {name.rpartition(".")[2] for name in targets if "self_attn" in name} == {
        "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "o_proj",
    }  # fmt: skip
    prefix = PromptCache.build(local, range(10, 40))
    attended = sum(part.shape[0] * part.shape[2] for pair in prefix.attended.values() for part in pair)
    assert read_shapes(tmp_path).kept == attended == 2 * 4 * (24 + 8)
    assert prefix.token_bytes == 2 * (16 + 8) * 4, "rows keep the latent vectors alone"
    estimated = read_shapes(tmp_path).lora_parameters(4)
    student = with_new_adapter(local, TrainingConfig(base="tiny", lora_rank=4))
    assert sum(weight.numel() for weight in trained_parameters(student)) == estimated


def test_merged_model_declares_no_heads_that_it_lacks_and_keeps_what_the_base_keeps_in_float32(tmp_path: Path) -> None:
    """Qwen3.5's: several tokens at once are predicted by heads that transformers does not load."""
    write(tmp_path, "Qwen3_5TextConfig", GATED_DELTA_NET | {"mtp_num_hidden_layers": 1})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    weights = load_file(tmp_path / "model.safetensors")
    precise = {name: tensor if name.endswith("A_log") else tensor.bfloat16() for name, tensor in weights.items()}
    save_file(precise, tmp_path / "model.safetensors", {"format": "pt"})
    merge(tmp_path, make_tiny_adapter(tmp_path, tmp_path / "adapter"), tmp_path / "merged")
    assert json.loads((tmp_path / "merged/config.json").read_text())["mtp_num_hidden_layers"] == 0
    merged = load_file(tmp_path / "merged/model.safetensors")
    assert {name: tensor.dtype for name, tensor in merged.items()} == {
        name: tensor.dtype for name, tensor in precise.items()
    }


def test_merged_model_keeps_in_float32_what_chooses_experts_if_the_base_does(tmp_path: Path) -> None:
    """DeepSeek-V3's and GLM's, in a buffer: rounded, it would choose others."""
    write(tmp_path, "DeepseekV3Config", LATENT_ATTENTION)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    weights = load_file(tmp_path / "model.safetensors")
    (name,) = (name for name in weights if name.endswith("e_score_correction_bias"))
    bias = 7 + torch.rand(weights[name].shape)
    stored = {each: tensor.bfloat16() for each, tensor in weights.items()} | {name: bias}
    save_file(stored, tmp_path / "model.safetensors", {"format": "pt"})
    merge(tmp_path, make_tiny_adapter(tmp_path, tmp_path / "adapter"), tmp_path / "merged")
    merged = load_file(tmp_path / "merged/model.safetensors")
    assert torch.equal(merged.pop(name), bias)
    assert {tensor.dtype for tensor in merged.values()} == {torch.bfloat16}


def test_dtype_is_found_where_only_the_decoder_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"text_config": {"dtype": "bfloat16"}}')
    assert stored_dtype(tmp_path) == "bfloat16"
    (tmp_path / "config.json").write_text('{"dtype": "float16", "text_config": {"dtype": "bfloat16"}}')
    assert stored_dtype(tmp_path) == "float16"


def assert_answers_are_those_of_whole_sequences(local: LocalModel) -> None:
    """Decode behind a shared prompt; at every token of an answer, one pass over all of it has to prefer that token."""
    prompt = list(range(10, 40))
    asked = [[*prompt, *question] for question in ([50, 51, 52], [60], [60], [71, 72, 73, 74, 75], [50, 51], [80, 81])]
    # Three places for six rows: rows of different lengths are read, leave early, and are moved.
    limits = [3, 20, 2, 8, 5, 7]
    prefix = PromptCache.build(local, prompt)
    answers = decode(local, asked, prefix=prefix, temperature=0.0, max_new_tokens=limits, seeds=limits, batch_rows=3)
    for row, answer in zip(asked, answers, strict=True):
        with torch.inference_mode():
            whole = local.base(input_ids=torch.tensor([[*row, *answer.ids]]), use_cache=False).logits[0].float()
        logits = whole[len(row) - 1 : -1]
        chosen = logits.gather(1, torch.tensor(answer.ids)[:, None])[:, 0]
        assert (logits.max(dim=1).values - chosen).max() < 0.02 * logits.std()


@pytest.mark.parametrize("config", REFUSED)
def test_architecture_that_no_shared_prompt_reproduces_is_refused_with_the_reason(config: str, tmp_path: Path) -> None:
    options, reason = REFUSED[config]
    with pytest.raises(ModelError, match="architecture is not supported") as refused:
        load_architecture(tmp_path, config, options)
    assert reason in refused.value.message
    assert "such as Llama 3" in refused.value.next


def test_model_that_is_no_text_decoder_is_refused_without_a_list_of_all_others(tmp_path: Path) -> None:
    write(tmp_path, "MixtralConfig", {})
    (tmp_path / "config.json").write_text('{"model_type": "vit", "max_position_embeddings": 2048}')
    with pytest.raises(ModelError, match="Unrecognized configuration class") as refused:
        load_base(tmp_path, device="cpu", dtype="float32")
    assert len(refused.value.message) < 400
