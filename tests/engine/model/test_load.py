"""Loading a base: only complete safetensors weights, no code from the folder, and a device that exists."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import ModelError
from engine.model import load as load_module
from engine.model.load import load_base, read_base
from engine.model.prompt_cache import PromptCache
from tests.engine.model.conftest import load_on_cpu
from tests.trained import make_tiny_adapter


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def test_loaded_base_is_frozen_and_in_evaluation_mode(tiny_folder: Path) -> None:
    local = load_on_cpu(tiny_folder)
    assert not local.model.training
    assert not any(parameter.requires_grad for parameter in local.model.parameters())
    assert local.base.get_output_embeddings().weight is local.base.get_input_embeddings().weight
    assert local.dtype == torch.float32


def test_weights_other_than_safetensors_are_refused(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        load_base(folder)


def test_code_in_a_model_folder_is_not_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "m.C", "AutoModelForCausalLM": "m.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "m.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass C: ...\nclass M: ...\n")
    with pytest.raises(ModelError, match="Cannot load the model"):
        load_base(folder)
    assert not (folder / "ran").exists()


def test_quantised_weights_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(ModelError, match="quantised"):
        load_base(folder)


def test_damaged_weights_are_explained(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="Cannot load the model"):
        load_base(folder)


def without_a_layer(folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file({n: t for n, t in load_file(path).items() if "layers.1.mlp" not in n}, path, metadata={"format": "pt"})


def with_a_layer_too_many(folder: Path) -> None:
    change_config(folder, num_hidden_layers=3)


def with_names_of_another_architecture(folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file({f"other.{n}": t for n, t in load_file(path).items()}, path, metadata={"format": "pt"})


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize("damage", [without_a_layer, with_a_layer_too_many, with_names_of_another_architecture])
def test_missing_weights_are_refused(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    with pytest.raises(ModelError, match="its files lack "):
        load_on_cpu(folder)


def test_missing_untied_output_head_is_refused(folder: Path) -> None:
    change_config(folder, tie_word_embeddings=False)
    with pytest.raises(ModelError, match=r"its files lack lm_head\.weight\."):
        load_on_cpu(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": "x"},
        {"num_attention_heads": 0},
        {"pad_token_id": 99_999},
        {"text_config": {"max_position_embeddings": 128}},
        {"layer_types": ["foo", "bar"]},
        {"eos_token_id": {"a": 1}},
    ],
)
def test_invalid_configuration_is_explained(folder: Path, changes: dict[str, object]) -> None:
    change_config(folder, **changes)
    with pytest.raises(ModelError, match="Cannot load the model"):
        load_on_cpu(folder)


def test_base_folder_with_an_adapter_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(make_tiny_adapter(folder, tmp_path / "adapter"), folder, dirs_exist_ok=True)
    with pytest.raises(ModelError, match="contains an adapter"):
        load_on_cpu(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", b"{}", "Cannot read the model.s tokenizer"),
        ("tokenizer.json", b"\x00\xff", "Cannot read the model.s tokenizer"),
        ("chat_template.jinja", b"\xff\xfe", r"chat_template\.jinja"),
        ("chat_template.jinja", b"", "leaves the question out"),
        ("chat_template.jinja", b"{% for m in messages %}<s>{% endfor %}", "leaves the question out"),
    ],
)
def test_invalid_tokenizer_or_template_is_explained(folder: Path, name: str, content: bytes, message: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_on_cpu(folder)


@pytest.mark.parametrize("device", ["nonsense", "mps", "xpu", "xpu:1", "meta", "hpu"])
def test_unavailable_device_is_named(tiny_folder: Path, device: str) -> None:
    with pytest.raises(ModelError, match=f"The device is not available.*{device}.*device cpu"):
        load_base(tiny_folder, device=device)


def test_named_gpu_becomes_the_current_device(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fully_shard and four-bit loading use the current device; the memory of another must not be touched."""
    current: list[torch.device] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", current.append)
    for device in ("cuda", "cuda:1"):
        read_base(tiny_folder, device=device, dtype="float32", placed=False)
    with pytest.raises(ModelError, match="cuda:2: torch sees 2 CUDA devices"):
        read_base(tiny_folder, device="cuda:2")
    assert current == [torch.device("cuda", 1)]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with x"),
            r"The GPU does not work. cpu: CUDA error: no kernel image .* device\. Check it with",
        ),
        (torch.OutOfMemoryError("CUDA out of memory."), "do not fit the device's memory.*Choose a smaller model"),
        (RuntimeError("shapes"), r"architecture is not supported.*\(shapes\)"),
    ],
)
def test_failed_first_pass_is_reported_with_its_cause(
    error: Exception, message: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> PromptCache:
        raise error

    monkeypatch.setattr(PromptCache, "build", fail)
    with pytest.raises(ModelError, match=message):
        load_on_cpu(tiny_folder)


@pytest.mark.parametrize(("generation", "dtype"), [(7, torch.float32), (8, torch.bfloat16), (9, torch.bfloat16)])
def test_gpus_that_emulate_bfloat16_compute_in_float32(
    generation: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (generation, 5))
    assert load_module._dtype("auto", torch.device("cuda", 1)) == dtype
    assert load_module._dtype("bfloat16", torch.device("cuda", 1)) == torch.bfloat16
