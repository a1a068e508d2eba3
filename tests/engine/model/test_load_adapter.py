"""Loading an adapter: it is checked before it is read, and can be switched off again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from engine.errors import ModelError
from engine.model.adapters import Adapters
from engine.model.load import adapter_off, attach, quiet_libraries, with_adapter
from engine.records.run import AdapterKind, TrainingConfig
from engine.training.student import with_new_adapter
from tests.engine.model.conftest import load_on_cpu, logits
from tests.trained import make_tiny_adapter


@pytest.fixture
def adapter(tiny_folder: Path, tmp_path: Path) -> Path:
    """A peft folder with an adapter that changes answers."""
    local = load_on_cpu(tiny_folder)
    with quiet_libraries():
        model = get_peft_model(local.base, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.fill_(0.2)
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_adapter_can_be_switched_off_in_nested_blocks(tiny_folder: Path, adapter: Path) -> None:
    base = logits(load_on_cpu(tiny_folder))
    local = with_adapter(load_on_cpu(tiny_folder), adapter)
    adapted = logits(local)
    assert not torch.allclose(base, adapted)
    with adapter_off(local):
        with adapter_off(local):
            torch.testing.assert_close(logits(local), base)
        torch.testing.assert_close(logits(local), base)
    torch.testing.assert_close(logits(local), adapted)
    with pytest.raises(ModelError, match="already has an adapter"):
        with_adapter(local, adapter)


@pytest.mark.parametrize("kind", ["lora", "dora", "full"])
def test_switched_off_adapter_computes_as_when_peft_disables_it(tiny_folder: Path, kind: AdapterKind) -> None:
    config = TrainingConfig("tiny", lora_rank=4, lora_alpha=8, adapter=kind)
    local = with_new_adapter(load_on_cpu(tiny_folder), config)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in local.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    requires_grad = [parameter.requires_grad for parameter in local.model.parameters()]
    adapted = logits(local)
    with adapter_off(local):
        off = logits(local)
    assert torch.equal(logits(local), adapted)
    assert [parameter.requires_grad for parameter in local.model.parameters()] == requires_grad
    with pytest.raises(KeyError), adapter_off(local):
        raise KeyError
    assert torch.equal(logits(local), adapted)
    with local.model.disable_adapter():
        assert torch.equal(off, logits(local))
    assert not torch.allclose(off, adapted)


def test_second_adapter_with_more_layers_is_switched_off_completely(tiny_folder: Path, tmp_path: Path) -> None:
    def adapter(name: str, targets: list[str]) -> Path:
        with quiet_libraries():
            made = get_peft_model(load_on_cpu(tiny_folder).base, LoraConfig(
                r=2, target_modules=targets, task_type="CAUSAL_LM", init_lora_weights=False
            ))  # fmt: skip
            made.save_pretrained(str(tmp_path / name))
        return tmp_path / name

    base = load_on_cpu(tiny_folder)
    expected = logits(base)
    local = with_adapter(base, adapter("few", ["q_proj"]))
    with adapter_off(local):
        assert torch.equal(logits(local), expected)
    attach(local.model, adapter("more", ["q_proj", "up_proj"]), "more")
    local.model.set_adapter("more")
    assert not torch.allclose(logits(local), expected)
    with adapter_off(local):
        assert torch.equal(logits(local), expected)


def test_switching_off_changes_nothing_for_a_base_without_adapter(tiny_folder: Path) -> None:
    local = load_on_cpu(tiny_folder)
    before = logits(local)
    with adapter_off(local):
        assert torch.equal(logits(local), before)


def edit_config(**changes: object) -> Callable[[Path], None]:
    def change(adapter: Path) -> None:
        path = adapter / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def edit_weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Callable[[Path], None]:
    def rewrite(adapter: Path) -> None:
        path = adapter / "adapter_model.safetensors"
        save_file({name: t.contiguous() for name, t in change(load_file(path)).items()}, path)

    return rewrite


def with_magnitude(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    name, found = next((name, found) for name, found in weights.items() if "lora_B" in name)
    return {**weights, name.replace("lora_B.weight", "lora_magnitude_vector"): found[:, 0]}


def as_pickle(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    torch.save(load_file(weights), adapter / "adapter_model.bin")
    weights.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (as_pickle, "other formats can carry code"),
        (edit_config(peft_type="IA3"), "IA3"),
        (edit_config(auto_mapping={"base_model_class": "os", "parent_library": "os"}), "auto_mapping"),
        (edit_config(modules_to_save=["lm_head"]), "modules_to_save"),
        (edit_config(use_dora=True), "whether it is a DoRA adapter"),
        (edit_weights(with_magnitude), "whether it is a DoRA adapter"),
        (edit_config(something_new=3), "something_new"),
        (edit_config(loftq_config={"loftq_bits": 4}), "loftq_config"),
        (edit_config(init_lora_weights="pissa"), "pissa"),
        (edit_config(r=0), "rank is invalid: 0"),
        (edit_config(lora_alpha=float("nan")), "alpha is invalid: nan"),
        (edit_config(lora_alpha=10**400), "alpha is invalid: 1000"),
        (edit_config(lora_alpha="x"), "alpha is invalid: x"),
        (edit_config(r=4), "has the shape"),
        (edit_config(bias="all"), "biases"),
        (edit_weights(lambda w: {n.replace("layers.1", "layers.9"): t for n, t in w.items()}), "does not have"),
        (edit_weights(lambda w: {n: t[:, :-1] if "lora_A" in n else t for n, t in w.items()}), "has the shape"),
        (edit_weights(lambda w: {**w, "base_model.model.lm_head.weight": torch.zeros(2, 2)}), "not part of a LoRA"),
        (edit_weights(lambda w: {}), "no tensors"),
        (lambda adapter: (adapter / "adapter_model.safetensors").write_bytes(b"\x00" * 64), "Cannot read"),
        (lambda adapter: (adapter / "adapter_config.json").write_text("[]"), "not a JSON object"),
        (edit_config(target_modules="([a-z_.0-9]+)+!"), "not a list of names"),
        (edit_config(target_modules=["q_proj", 1]), "not a list of names"),
    ],
)
def test_invalid_adapter_is_refused_before_it_is_loaded(
    tiny_folder: Path, adapter: Path, damage: Callable[[Path], object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(adapter)
    monkeypatch.setattr("engine.model.load.PeftModel.from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(ModelError, match=message):
        with_adapter(load_on_cpu(tiny_folder), adapter)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit_config(target_modules=["q_proj"]), r"does not expect .*down_proj"),
        (edit_weights(lambda w: {n: t for n, t in w.items() if "layers.1" not in n}), r"lacks .*layers\.1"),
    ],
)
def test_partly_matching_adapter_is_refused_and_leaves_the_base_unchanged(
    tiny_folder: Path, adapter: Path, damage: Callable[[Path], object], message: str
) -> None:
    local = load_on_cpu(tiny_folder)
    bare = logits(local)
    damage(adapter)
    with pytest.raises(ModelError, match=message):
        with_adapter(local, adapter)
    torch.testing.assert_close(logits(local), bare)
    adapters = Adapters(local)
    with pytest.raises(ModelError, match=message):
        adapters.load(adapter)
    torch.testing.assert_close(logits(local), bare)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit_config(modules_to_save=["lm_head"]), "modules_to_save"),
        (edit_config(r=4), "unsupported keys: r"),
        (edit_weights(lambda w: {n.replace("layers.1", "layers.9"): t for n, t in w.items()}), "does not have"),
        (edit_weights(lambda w: {n: t[:-1] for n, t in w.items()}), "has the shape"),
        (edit_weights(lambda w: {**w, "base_model.model.lm_head.weight": torch.zeros(2, 2)}), "not part of a whole"),
        (edit_weights(lambda w: {}), "no tensors"),
    ],
)
def test_invalid_full_adapter_is_refused(
    tiny_folder: Path, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    adapter = make_tiny_adapter(tiny_folder, tmp_path / "full", kind="full")
    assert with_adapter(load_on_cpu(tiny_folder), adapter)
    damage(adapter)
    with pytest.raises(ModelError, match=message):
        with_adapter(load_on_cpu(tiny_folder), adapter)
