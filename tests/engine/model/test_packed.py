"""Packed weights: the same products, only inside the block, and only if device and memory allow it."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor, nn

from engine.model.load import DtypeName, load_base
from engine.model.local_model import LocalModel
from engine.model.packed import packed_weights
from engine.records.run import TrainingConfig
from engine.training.student import with_new_adapter
from tests.engine.model.conftest import load_on_cpu, write_model

IDS = torch.tensor([[5, 40, 61, 33, 90, 12], [44, 60, 61, 62, 80, 81]])


@pytest.fixture
def local(tiny_folder: Path) -> LocalModel:
    return load_on_cpu(tiny_folder)


def logits(local: LocalModel) -> Tensor:
    with torch.inference_mode():
        found: Tensor = local.base(input_ids=IDS, use_cache=False).logits
        return found


def packed_layers(local: LocalModel) -> list[nn.Module]:
    return [module for module in local.base.modules() if "forward" in vars(module)]


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        ("float32", 1e-5),
        pytest.param(
            "bfloat16",
            0.2,
            marks=pytest.mark.skipif(
                not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
                reason="this processor does not compute bfloat16",
            ),
        ),
    ],
)
@pytest.mark.parametrize("kind", ["llama", "qwen2"])  # the second has biases
def test_packed_layers_compute_the_same_and_are_restored(
    tmp_path: Path, kind: str, dtype: DtypeName, tolerance: float
) -> None:
    local = load_base(write_model(tmp_path / kind, kind), device="cpu", dtype=dtype)
    before = logits(local)
    with packed_weights(local):
        assert len(packed_layers(local)) == 2 * 7 + 1  # every layer's seven matrices, and the head
        packed = logits(local)
        with packed_weights(local):
            pass
        assert packed_layers(local), "an inner block must not unpack the outer one"
    assert not packed_layers(local)
    assert float((packed - before).abs().max()) <= tolerance * float(before.abs().max())
    assert torch.equal(logits(local), before)


def test_next_block_uses_changed_weights(local: LocalModel) -> None:
    with packed_weights(local):
        before = logits(local)
    with torch.no_grad():
        local.base.get_decoder().layers[0].self_attn.q_proj.weight.data.zero_()
    changed = logits(local)
    with packed_weights(local):
        assert torch.allclose(logits(local), changed, atol=1e-5)
    assert not torch.allclose(before, changed, atol=1e-3)


def test_gradients_flow_through_packed_layers(local: LocalModel) -> None:
    with packed_weights(local):
        hidden = torch.randn(2, 32, requires_grad=True)
        local.base.get_decoder().layers[0].self_attn.q_proj(hidden).sum().backward()
    assert hidden.grad is not None


def test_layers_are_restored_after_a_failure(local: LocalModel) -> None:
    with pytest.raises(RuntimeError, match="halfway"), packed_weights(local):
        raise RuntimeError("halfway")
    assert not packed_layers(local)


def test_nothing_is_packed_if_memory_is_short(local: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=1_000))
    with packed_weights(local):
        assert not packed_layers(local)


def test_nothing_is_packed_on_another_device(local: LocalModel) -> None:
    with packed_weights(replace(local, device=torch.device("meta"))):
        assert not packed_layers(local)


def test_matrices_of_an_adapter_are_not_packed(local: LocalModel) -> None:
    adapted = with_new_adapter(local, TrainingConfig(base="tiny"))
    with packed_weights(adapted):
        assert len(packed_layers(adapted)) == 2 * 7 + 1
