"""Several adapters over one base: switching leaves no trace, loading is checked, and hashes identify the weights."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from engine.errors import ModelError
from engine.model import adapters as adapters_module
from engine.model.adapter_files import weights_sha256
from engine.model.adapters import Adapters
from engine.model.load import attach, with_adapter
from engine.model.local_model import LocalModel
from engine.records.run import AdapterKind
from tests.engine.model.conftest import load_on_cpu, logits
from tests.trained import make_tiny_adapter


@pytest.fixture(scope="module")
def folders(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("adapters")
    return [make_tiny_adapter(tiny_folder, root / str(seed), seed=seed) for seed in (1, 2, 3)]


def test_adapter_is_loaded_to_the_device_of_its_model(
    tiny_folder: Path, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peft.peft_model.infer_device", lambda: "cuda")
    monkeypatch.setattr("peft.utils.save_and_load.infer_device", lambda: "cuda")
    adapters = Adapters(load_on_cpu(tiny_folder))
    assert len({adapters.load(folder) for folder in folders[:2]}) == 2


@pytest.fixture(scope="module")
def alone(tiny_folder: Path, folders: list[Path]) -> list[torch.Tensor]:
    """The logits of each adapter in a separate model, then those of the base."""
    found = [logits(with_adapter(load_on_cpu(tiny_folder), folder)) for folder in folders]
    return [*found, logits(load_on_cpu(tiny_folder))]


@pytest.fixture(scope="module")
def shared(tiny_folder: Path, folders: list[Path]) -> tuple[LocalModel, Adapters, list[str]]:
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    return local, adapters, [adapters.load(folder) for folder in folders]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.3, 1.0])), min_size=1, max_size=6))
def test_switching_leaves_no_trace_of_earlier_adapters(
    shared: tuple[LocalModel, Adapters, list[str]], alone: list[torch.Tensor], switches: list[tuple[int, float]]
) -> None:
    local, adapters, hashes = shared
    names = [*hashes, ""]
    for index, strength in switches:
        adapters.switch(names[index], strength)
        found = logits(local)
        if strength == 1:
            assert torch.equal(found, alone[index])
        elif strength == 0 or index == 3:
            assert torch.equal(found, alone[3])
        else:
            assert not torch.allclose(found, alone[index])
            assert not torch.allclose(found, alone[3])


def test_folder_is_read_again_only_if_its_weights_changed(
    tiny_folder: Path, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    folder = Path(shutil.copytree(folders[0], tmp_path / "adapter"))
    first = adapters.load(folder)
    assert first == hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr(adapters_module, "attach", lambda *_: pytest.fail("the folder was read again"))
        assert adapters.load(folder) == first
    shutil.copytree(folders[1], folder, dirs_exist_ok=True)
    second = adapters.load(folder)
    assert second != first
    adapters.switch(second, 1.0)
    changed = logits(local)
    adapters.switch(first, 1.0)
    assert not torch.equal(logits(local), changed)


def test_adapter_that_changes_while_loading_gets_the_hash_of_its_new_weights(
    tiny_folder: Path, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = Adapters(load_on_cpu(tiny_folder))
    folder = Path(shutil.copytree(folders[0], tmp_path / "adapter"))
    replacements = iter([folders[1]])

    def replace_and_attach(model: PreTrainedModel | PeftModel, adapter_folder: Path, name: str) -> PeftModel:
        if (replacement := next(replacements, None)) is not None:
            shutil.copytree(replacement, folder, dirs_exist_ok=True)
        return attach(model, adapter_folder, name)

    monkeypatch.setattr(adapters_module, "attach", replace_and_attach)
    assert adapters.load(folder) == weights_sha256(folders[1])


def test_least_recently_used_adapter_is_dropped_unless_in_use(
    tiny_folder: Path, folders: list[Path], alone: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters_module, "KEPT", 2)
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    first, second = (adapters.load(folder) for folder in folders[:2])
    third = adapters.load(folders[2], frozenset({first}))
    assert set(adapters._used) == {first, third}
    for sha256, expected in ((third, alone[2]), (first, alone[0])):
        adapters.switch(sha256, 1.0)
        assert torch.equal(logits(local), expected)
    assert adapters.load(folders[1]) == second
    adapters.switch(second, 1.0)
    assert torch.equal(logits(local), alone[1])


def test_invalid_adapter_is_refused_after_a_valid_one(
    tiny_folder: Path, folders: list[Path], alone: list[torch.Tensor], tmp_path: Path
) -> None:
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    adapters.load(folders[0])
    bad = Path(shutil.copytree(folders[1], tmp_path / "bad"))
    config = bad / "adapter_config.json"
    config.write_text(config.read_text().replace('"r": 4', '"r": 5'))
    with pytest.raises(ModelError, match="has the shape"):
        adapters.load(bad)
    with pytest.raises(ModelError, match="Cannot read"):
        adapters.load(tmp_path / "nothing")
    adapters.switch("", 0.0)
    assert torch.equal(logits(local), alone[3])


@pytest.mark.parametrize("kind", ["rslora", "full", "dora"])
def test_adapter_of_any_kind_is_switched_fully_on_and_off(
    tiny_folder: Path, folders: list[Path], alone: list[torch.Tensor], tmp_path: Path, kind: AdapterKind
) -> None:
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    plain = adapters.load(folders[0])
    folder = make_tiny_adapter(tiny_folder, tmp_path / kind, seed=9, kind=kind)
    adapted = logits(with_adapter(load_on_cpu(tiny_folder), folder))
    assert not torch.allclose(adapted, alone[3])
    name = adapters.load(folder)
    for switched, strength, expected in (
        (name, 1.0, adapted),
        (name, 0.0, alone[3]),
        (plain, 1.0, alone[0]),
        (name, 1.0, adapted),
    ):
        adapters.switch(switched, strength)
        assert torch.equal(logits(local), expected)
    if kind != "rslora":
        with pytest.raises(ModelError, match="supports only strengths 0 and 100 %"):
            adapters.switch(name, 0.5)
        assert torch.equal(logits(local), adapted)


def test_strength_scales_a_rank_stabilised_adapter(tiny_folder: Path, tmp_path: Path) -> None:
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    folder = make_tiny_adapter(tiny_folder, tmp_path / "rslora", seed=9, kind="rslora")
    adapters.switch(adapters.load(folder), 0.5)
    weights = {
        name: tensor * (0.5 if "lora_B" in name else 1)
        for name, tensor in load_file(folder / "adapter_model.safetensors").items()
    }
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    half = logits(with_adapter(load_on_cpu(tiny_folder), folder))
    assert torch.allclose(logits(local), half, atol=1e-5)


def test_full_adapters_coexist_with_others_and_only_two_are_kept(
    tiny_folder: Path, folders: list[Path], tmp_path: Path
) -> None:
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    bare = logits(local)
    full = [make_tiny_adapter(tiny_folder, tmp_path / str(seed), seed=seed, kind="full") for seed in (5, 6, 7)]
    expected = [logits(with_adapter(load_on_cpu(tiny_folder), folder)) for folder in (*full, folders[0])]
    first = adapters.load(full[0])
    adapters.switch(first, 1.0)
    lora = adapters.load(folders[0])  # loaded while a full adapter is switched on
    second = adapters.load(full[1])
    for name, found in ((first, expected[0]), (lora, expected[3]), (second, expected[1]), ("", bare)):
        adapters.switch(name, 1.0)
        assert torch.equal(logits(local), found)
    third = adapters.load(full[2], in_use=frozenset({first}))
    assert list(adapters._whole) == [first, third]
    for name, found in ((third, expected[2]), (lora, expected[3]), (first, expected[0])):
        adapters.switch(name, 1.0)
        assert torch.equal(logits(local), found)
