"""Loading: safetensors only, no remote code, adapters checked before they are read."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from engine.errors import ModelError
from engine.model import load as load_module
from engine.model.adapters import Adapters
from engine.model.load import adapter_off, attach, load_base, quiet_libraries, read_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.records.run import AdapterKind, TrainingConfig
from engine.training.student import with_new_adapter
from tests.trained import make_tiny_adapter

IDS = torch.tensor([[5, 40, 61, 33]])


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


@pytest.fixture
def adapter(tiny_folder: Path, tmp_path: Path) -> Path:
    """A peft folder whose adapter changes answers."""
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    with quiet_libraries():
        model = get_peft_model(local.base, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.fill_(0.2)
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def logits(local: LocalModel) -> torch.Tensor:
    with torch.inference_mode():
        return local.logits(local.backbone(input_ids=IDS, use_cache=False).last_hidden_state)


def test_a_loaded_base_is_frozen_and_in_evaluation_mode(tiny_folder: Path) -> None:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    assert not local.model.training
    assert not any(parameter.requires_grad for parameter in local.model.parameters())
    assert local.base.get_output_embeddings().weight is local.base.get_input_embeddings().weight
    assert local.dtype == torch.float32


def test_other_weights_than_safetensors_are_refused(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        load_base(folder)


def test_code_in_a_model_folder_is_never_run(folder: Path) -> None:
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
def test_weights_that_files_lack_are_not_made_up(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    with pytest.raises(ModelError, match="its files lack "):
        load_base(folder, device="cpu", dtype="float32")


def test_a_head_that_is_neither_there_nor_tied_is_not_made_up(folder: Path) -> None:
    change_config(folder, tie_word_embeddings=False)
    with pytest.raises(ModelError, match=r"its files lack lm_head\.weight\."):
        load_base(folder, device="cpu", dtype="float32")


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
def test_a_configuration_that_makes_no_sense_is_explained(folder: Path, changes: dict[str, object]) -> None:
    change_config(folder, **changes)
    with pytest.raises(ModelError, match="Cannot load the model"):
        load_base(folder, device="cpu", dtype="float32")


def test_a_base_that_holds_an_adapter_is_refused(folder: Path, adapter: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter / name, folder)
    with pytest.raises(ModelError, match="contains an adapter"):
        load_base(folder, device="cpu", dtype="float32")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tokenizer.json", b"{}", "Cannot read the model.s tokenizer"),
        ("tokenizer.json", b"\x00\xff", "Cannot read the model.s tokenizer"),
        ("chat_template.jinja", b"\xff\xfe", r"chat_template\.jinja"),
        ("chat_template.jinja", b"", "leaves the question out"),
        ("chat_template.jinja", b"{% for m in messages %}<s>{% endfor %}", "leaves the question out"),
    ],
)
def test_texts_that_cannot_be_used_are_explained(folder: Path, name: str, content: bytes, words: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=words):
        load_base(folder, device="cpu", dtype="float32")


@pytest.mark.parametrize("device", ["nonsense", "mps", "xpu", "xpu:1", "meta", "hpu"])
def test_a_device_that_is_not_there_is_named(tiny_folder: Path, device: str) -> None:
    with pytest.raises(ModelError, match=f"The device is not available.*{device}.*--device cpu"):
        load_base(tiny_folder, device=device)


def test_an_adapter_can_be_switched_off_and_nested(tiny_folder: Path, adapter: Path) -> None:
    base = logits(load_base(tiny_folder, device="cpu", dtype="float32"))
    local = with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), adapter)
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
def test_switched_off_a_model_computes_as_peft_switches_it_off(tiny_folder: Path, kind: AdapterKind) -> None:
    config = TrainingConfig("tiny", lora_rank=4, lora_alpha=8, adapter=kind)
    local = with_new_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), config)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in local.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    wants = [parameter.requires_grad for parameter in local.model.parameters()]
    adapted = logits(local)
    with adapter_off(local):
        off = logits(local)
    assert torch.equal(logits(local), adapted)
    assert [parameter.requires_grad for parameter in local.model.parameters()] == wants
    with pytest.raises(KeyError), adapter_off(local):
        raise KeyError
    assert torch.equal(logits(local), adapted)
    with local.model.disable_adapter():
        assert torch.equal(off, logits(local))
    assert not torch.allclose(off, adapted)


def test_a_second_adapter_with_more_layers_is_switched_off_whole(tiny_folder: Path, tmp_path: Path) -> None:
    def adapter(name: str, targets: list[str]) -> Path:
        with quiet_libraries():
            made = get_peft_model(load_base(tiny_folder, device="cpu", dtype="float32").base, LoraConfig(
                r=2, target_modules=targets, task_type="CAUSAL_LM", init_lora_weights=False
            ))  # fmt: skip
            made.save_pretrained(str(tmp_path / name))
        return tmp_path / name

    base = load_base(tiny_folder, device="cpu", dtype="float32")
    expected = logits(base)
    local = with_adapter(base, adapter("few", ["q_proj"]))
    with adapter_off(local):
        assert torch.equal(logits(local), expected)
    attach(local.model, adapter("more", ["q_proj", "up_proj"]), "more")
    local.model.set_adapter("more")
    assert not torch.allclose(logits(local), expected)
    with adapter_off(local):
        assert torch.equal(logits(local), expected)


def test_a_base_without_adapter_has_nothing_to_switch_off(tiny_folder: Path) -> None:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    with adapter_off(local):
        torch.testing.assert_close(logits(local), logits(replace(local)))


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
    ("damage", "words"),
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
    ],
)
def test_a_strange_adapter_is_refused_before_it_is_loaded(
    tiny_folder: Path, adapter: Path, damage: Callable[[Path], object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(adapter)
    monkeypatch.setattr("engine.model.load.PeftModel.from_pretrained", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(ModelError, match=words):
        with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), adapter)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (edit_config(target_modules=["q_proj"]), r"does not expect .*down_proj"),
        (edit_weights(lambda w: {n: t for n, t in w.items() if "layers.1" not in n}), r"lacks .*layers\.1"),
    ],
)
def test_an_adapter_of_which_only_a_part_would_be_loaded_is_refused_and_leaves_nothing_behind(
    tiny_folder: Path, adapter: Path, damage: Callable[[Path], object], words: str
) -> None:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    bare = logits(local)
    damage(adapter)
    with pytest.raises(ModelError, match=words):
        with_adapter(local, adapter)
    torch.testing.assert_close(logits(local), bare)
    adapters = Adapters(local)
    with pytest.raises(ModelError, match=words):
        adapters.load(adapter)
    torch.testing.assert_close(logits(local), bare)


def test_the_gpu_that_is_named_is_the_current_one(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fully_shard and four bits do their work on whichever is; another's memory is not to be touched."""
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
    ("error", "told"),
    [
        (
            RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with x"),
            r"The GPU does not work. cpu: CUDA error: no kernel image .* device\. Check it with",
        ),
        (torch.OutOfMemoryError("CUDA out of memory."), "do not fit the device's memory.*Choose a smaller model"),
        (RuntimeError("shapes"), r"architecture is not supported.*\(shapes\)"),
    ],
)
def test_a_first_pass_that_fails_is_told_as_what_it_is(
    error: Exception, told: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> PromptCache:
        raise error

    monkeypatch.setattr(PromptCache, "build", fail)
    with pytest.raises(ModelError, match=told):
        load_base(tiny_folder, device="cpu", dtype="float32")


@pytest.mark.parametrize(("generation", "dtype"), [(7, torch.float32), (8, torch.bfloat16), (9, torch.bfloat16)])
def test_gpus_that_emulate_bfloat16_compute_in_float32(
    generation: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (generation, 5))
    assert load_module._dtype("auto", torch.device("cuda", 1)) == dtype
    assert load_module._dtype("bfloat16", torch.device("cuda", 1)) == torch.bfloat16


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (edit_config(modules_to_save=["lm_head"]), "modules_to_save"),
        (edit_config(r=4), "unsupported keys: r"),
        (edit_weights(lambda w: {n.replace("layers.1", "layers.9"): t for n, t in w.items()}), "does not have"),
        (edit_weights(lambda w: {n: t[:-1] for n, t in w.items()}), "has the shape"),
        (edit_weights(lambda w: {**w, "base_model.model.lm_head.weight": torch.zeros(2, 2)}), "not part of a whole"),
        (edit_weights(lambda w: {}), "no tensors"),
    ],
)
def test_strange_whole_layers_are_refused_before_they_are_loaded(
    tiny_folder: Path, tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    whole = make_tiny_adapter(tiny_folder, tmp_path / "whole", kind="full")
    assert with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), whole)
    damage(whole)
    with pytest.raises(ModelError, match=words):
        with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), whole)
