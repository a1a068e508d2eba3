"""A base with experts: every adapter kind leaves them alone, can be read back, and is told and estimated as it is."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.model.load import load_base, with_adapter
from engine.model.shapes import read_shapes
from engine.model.targets import EXPERTS_NOTE
from engine.project import Project
from engine.records.run import AdapterKind
from engine.training.peak import memory_mb, trained_numbers
from engine.training.state import save_adapter
from engine.training.student import trained_parameters, with_new_adapter
from tests.engine.training.estimate_facts import FACTS
from tests.engine.training.job_helpers import make_run, notes_of, train
from tests.engine.training.trainer_helpers import CONFIG, randomise_adapter
from tests.families import FAMILIES
from tests.tiny import make_tiny_family

EXPERTS, CHOSEN, HIDDEN, INNER, LAYERS = 4, 2, 32, 24, 2  # of the tiny model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_family(tmp_path_factory.mktemp("experts") / "base", FAMILIES["qwen3-moe"], hidden_size=HIDDEN)


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "full"])
def test_adapter_without_experts_is_read_back_with_the_same_logits(
    base: Path, tmp_path: Path, kind: AdapterKind
) -> None:
    ids = torch.arange(3, 40)[None]
    student = with_new_adapter(load_base(base, device="cpu", dtype="float32"), replace(CONFIG, adapter=kind))
    randomise_adapter(student)
    save_adapter(student.model, tmp_path)
    assert not any("experts" in name for name in load_file(tmp_path / "adapter_model.safetensors"))
    again = with_adapter(load_base(base, device="cpu", dtype="float32"), tmp_path)
    with torch.no_grad():
        assert torch.equal(again.model(ids).logits, student.model(ids).logits)


def test_run_says_that_experts_are_not_adapted(project: Project, base: Path, model_folder: Path) -> None:
    assert EXPERTS_NOTE in notes_of(train(project, make_run(project, base).id))


def test_run_of_a_plain_base_says_nothing_of_experts(project: Project, model_folder: Path) -> None:
    assert EXPERTS_NOTE not in notes_of(train(project, make_run(project, model_folder).id))


def test_shapes_count_adapted_layers_and_the_experts_that_a_token_passes_through(base: Path, tmp_path: Path) -> None:
    shapes = read_shapes(base)
    student = with_new_adapter(load_base(base, device="cpu", dtype="float32"), CONFIG)
    numbers = sum(parameter.numel() for parameter in trained_parameters(student))
    assert trained_numbers(CONFIG, shapes) == numbers
    assert shapes.layers == LAYERS
    assert shapes.experts == LAYERS * EXPERTS * 3 * HIDDEN * INNER
    assert shapes.passed == LAYERS * CHOSEN * 3 * (HIDDEN + INNER)
    needed = memory_mb(CONFIG, replace(FACTS, shapes=shapes))
    without = memory_mb(CONFIG, replace(FACTS, shapes=replace(shapes, passed=0)))
    assert needed is not None
    assert without is not None
    assert needed > without

    # Some models are stored with one tensor for all experts of a layer.
    stacked: dict[str, torch.Tensor] = {}
    together: dict[str, list[torch.Tensor]] = {}
    for name, tensor in load_file(base / "model.safetensors").items():
        before, expert, after = name.partition(".experts.")
        if expert:
            together.setdefault(f"{before}.experts.{after.split('.')[1]}", []).append(tensor)
        else:
            stacked[name] = tensor
    stacked |= {name: torch.stack(tensors) for name, tensors in together.items()}
    save_file(stacked, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((base / "config.json").read_bytes())
    assert replace(read_shapes(tmp_path), size_bytes=0) == replace(shapes, size_bytes=0)
    (tmp_path / "config.json").unlink()
    assert read_shapes(tmp_path).passed == shapes.passed * EXPERTS // CHOSEN, "all, if their number is unknown"
