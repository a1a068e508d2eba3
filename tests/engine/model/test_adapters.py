"""Several adapters over one base: each switch is whole, loading is checked, and what is loaded is what is said."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from engine.errors import ModelError
from engine.model import adapters as adapters_module
from engine.model.adapters import Adapters, weights_sha256
from engine.model.load import load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.records.run import AdapterKind
from tests.trained import make_tiny_adapter

IDS = torch.tensor([[5, 40, 61, 33]])


def logits(local: LocalModel) -> torch.Tensor:
    with torch.inference_mode():
        return local.logits(local.backbone(input_ids=IDS, use_cache=False).last_hidden_state)


@pytest.fixture(scope="module")
def folders(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("adapters")
    return [make_tiny_adapter(tiny_folder, root / str(seed), seed=seed) for seed in (1, 2, 3)]


def test_an_adapter_is_read_to_where_its_model_lies_whatever_gpu_there_is(
    tiny_folder: Path, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peft.peft_model.infer_device", lambda: "cuda")
    monkeypatch.setattr("peft.utils.save_and_load.infer_device", lambda: "cuda")
    adapters = Adapters(load_base(tiny_folder, device="cpu", dtype="float32"))
    assert len({adapters.load(folder) for folder in folders[:2]}) == 2


@pytest.fixture(scope="module")
def alone(tiny_folder: Path, folders: list[Path]) -> list[torch.Tensor]:
    """The logits of each adapter in a model of its own, and of the base last."""
    found = [logits(with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), folder)) for folder in folders]
    return [*found, logits(load_base(tiny_folder, device="cpu", dtype="float32"))]


@pytest.fixture(scope="module")
def shared(tiny_folder: Path, folders: list[Path]) -> tuple[LocalModel, Adapters, list[str]]:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    adapters = Adapters(local)
    return local, adapters, [adapters.load(folder) for folder in folders]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.3, 1.0])), min_size=1, max_size=6))
def test_no_switch_leaves_anything_for_the_next(
    shared: tuple[LocalModel, Adapters, list[str]], alone: list[torch.Tensor], switches: list[tuple[int, float]]
) -> None:
    local, adapters, hashes = shared
    names = [*hashes, ""]
    for which, strength in switches:
        adapters.switch(names[which], strength)
        found = logits(local)
        if strength == 1:
            assert torch.equal(found, alone[which])
        elif strength == 0 or which == 3:
            assert torch.equal(found, alone[3])
        else:
            assert not torch.allclose(found, alone[which])
            assert not torch.allclose(found, alone[3])


def test_a_folder_is_read_once_unless_its_weights_are_others_now(
    tiny_folder: Path, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    adapters = Adapters(local)
    folder = Path(shutil.copytree(folders[0], tmp_path / "adapter"))
    first = adapters.load(folder)
    assert first == hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()
    with monkeypatch.context() as once:
        once.setattr(adapters_module, "attach", lambda *_: pytest.fail("it was read again"))
        assert adapters.load(folder) == first
    shutil.copytree(folders[1], folder, dirs_exist_ok=True)
    second = adapters.load(folder)
    assert second != first
    adapters.switch(second, 1.0)
    changed = logits(local)
    adapters.switch(first, 1.0)
    assert not torch.equal(logits(local), changed)


def test_an_adapter_that_changes_while_it_is_read_is_never_named_wrongly(
    tiny_folder: Path, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = Adapters(load_base(tiny_folder, device="cpu", dtype="float32"))
    folder = Path(shutil.copytree(folders[0], tmp_path / "adapter"))
    attach, others = adapters_module.attach, iter([folders[1]])

    def attach_late(*arguments: object) -> object:
        if (other := next(others, None)) is not None:
            shutil.copytree(other, folder, dirs_exist_ok=True)
        return attach(*arguments)

    monkeypatch.setattr(adapters_module, "attach", attach_late)
    assert adapters.load(folder) == weights_sha256(folders[1])


def test_the_one_used_longest_ago_makes_room_but_none_in_use(
    tiny_folder: Path, folders: list[Path], alone: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters_module, "KEPT", 2)
    local = load_base(tiny_folder, device="cpu", dtype="float32")
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


def test_a_strange_adapter_is_refused_also_after_a_good_one(
    tiny_folder: Path, folders: list[Path], tmp_path: Path
) -> None:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
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
    torch.testing.assert_close(logits(local), logits(replace(local)))


def test_strength_scales_a_rank_stabilised_adapter_and_others_have_none_between(
    tiny_folder: Path, folders: list[Path], tmp_path: Path
) -> None:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    adapters = Adapters(local)
    bare = logits(load_base(tiny_folder, device="cpu", dtype="float32"))
    plain = adapters.load(folders[0])
    kinds: tuple[AdapterKind, ...] = ("rslora", "full", "dora")
    for kind in kinds:
        folder = make_tiny_adapter(tiny_folder, tmp_path / kind, seed=9, kind=kind)
        alone = logits(with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), folder))
        assert not torch.allclose(alone, bare)
        name = adapters.load(folder)
        for switched, strength, expected in (
            (name, 1.0, alone),
            (name, 0.0, bare),
            (plain, 1.0, None),
            (name, 1.0, alone),
        ):
            adapters.switch(switched, strength)
            assert expected is None or torch.equal(logits(local), expected)
        if kind != "rslora":
            with pytest.raises(ModelError, match="supports only strengths 0 and 100 %"):
                adapters.switch(name, 0.5)
            assert torch.equal(logits(local), alone)
            continue
        adapters.switch(name, 0.5)
        weights = {
            tensor_name: tensor * (0.5 if "lora_B" in tensor_name else 1)
            for tensor_name, tensor in load_file(folder / "adapter_model.safetensors").items()
        }
        save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        half = logits(with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), folder))
        assert torch.allclose(logits(local), half, atol=1e-5)


def test_whole_layers_stand_beside_other_adapters_and_few_are_kept(
    tiny_folder: Path, folders: list[Path], tmp_path: Path
) -> None:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    adapters = Adapters(local)
    bare = logits(local)
    whole = [make_tiny_adapter(tiny_folder, tmp_path / str(seed), seed=seed, kind="full") for seed in (5, 6, 7)]
    expected = [
        logits(with_adapter(load_base(tiny_folder, device="cpu", dtype="float32"), folder))
        for folder in (*whole, folders[0])
    ]
    first = adapters.load(whole[0])
    adapters.switch(first, 1.0)
    matrices = adapters.load(folders[0])  # injected while whole layers answer
    second = adapters.load(whole[1])
    for name, found in ((first, expected[0]), (matrices, expected[3]), (second, expected[1]), ("", bare)):
        adapters.switch(name, 1.0)
        assert torch.equal(logits(local), found)
    third = adapters.load(whole[2], in_use=frozenset({first}))
    assert list(adapters._whole) == [first, third]
    for name, found in ((third, expected[2]), (matrices, expected[3]), (first, expected[0])):
        adapters.switch(name, 1.0)
        assert torch.equal(logits(local), found)
