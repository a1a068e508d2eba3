"""A base in four bits: refused with advice if unsupported; with bitsandbytes, adapters over it train and merge exactly.

bitsandbytes also computes on a CPU, many times slower, so tiny models prove here what otherwise needs a GPU. Install
it with `uv sync --extra qlora`. Its memory and speed are not tested.
"""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from engine.errors import ModelError
from engine.model import load as load_module
from engine.model.four_bits import require_four_bits
from engine.model.load import adapter_off, load_base, parameter_shapes, with_adapter
from engine.model.local_model import LocalModel
from engine.model.merge import merge
from engine.model.quantize import nf4
from engine.records.dataset import DatasetPrompt
from engine.records.prompt import Message, Prompt
from engine.records.run import TrainingConfig
from engine.training.state import save_adapter
from engine.training.student import trained_parameters, with_new_adapter
from engine.training.teacher_cache import cache_key
from tests.engine.model.conftest import load_on_cpu

installed = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra qlora")
IDS = torch.tensor([[5, 40, 61, 33, 9, 12]])
CONFIG = TrainingConfig(base="tiny", lora_rank=4, lora_alpha=8, quantize_base="nf4")


def test_four_bits_on_a_cpu_are_refused_with_advice(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"needs an NVIDIA GPU.*cpu.*--quantize-base none"):
        load_base(tiny_folder, device="cpu", quantize="nf4")


def test_four_bits_without_bitsandbytes_are_refused_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.model.four_bits.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"bitsandbytes is not installed.*distill-tui\[qlora\]"):
        require_four_bits("cuda", on_gpu=True)


def test_quantisation_is_nf4_with_double_quantisation_in_the_bases_dtype() -> None:
    config = nf4(torch.bfloat16)
    assert (config.load_in_4bit, config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert config.bnb_4bit_compute_dtype == torch.bfloat16


def test_merge_into_a_four_bit_base_needs_bitsandbytes(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.four_bits.find_spec", lambda _: None)
    with pytest.raises(ModelError, match="bitsandbytes is not installed"):
        merge(tiny_folder, tmp_path, tmp_path / "merged", "nf4")


def in_four_bits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> LocalModel:
    """The base as it is loaded on a GPU, but on the CPU."""
    monkeypatch.setattr(load_module, "require_four_bits", lambda *_, **__: None)
    # The bfloat16 kernel of newer CPUs needs larger layers than these, and rounds what is compared here.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
    return load_base(folder, device="cpu", dtype="float32", quantize="nf4")


def logits(local: LocalModel) -> torch.Tensor:
    return local.logits(local.backbone(input_ids=IDS, use_cache=False).last_hidden_state)


@installed
def test_adapter_over_a_four_bit_base_is_trained_reloaded_and_merged(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load_on_cpu(tiny_folder)
    base = in_four_bits(tiny_folder, monkeypatch)
    assert base.quantized
    assert not plain.quantized
    assert parameter_shapes(base) == parameter_shapes(plain)
    prompts = [DatasetPrompt(Prompt((Message("system", "Be brief."),)), ())]
    assert cache_key(base, [], prompts, 4) != cache_key(plain, [], prompts, 4)
    with torch.no_grad():
        before = logits(base)
        assert not torch.allclose(before, logits(plain), atol=1e-3)
    student = with_new_adapter(base, CONFIG)
    trained = trained_parameters(student)
    assert {parameter.dtype for parameter in trained} == {torch.float32}
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        logits(student).log_softmax(-1)[..., 7].sum().neg().backward()
        optimizer.step()
    with torch.no_grad():
        after = logits(student)
        assert after.log_softmax(-1)[..., 7].sum() > before.log_softmax(-1)[..., 7].sum()
        with adapter_off(student):
            assert torch.equal(logits(student), before)
    assert isinstance(student.model, PeftModel)
    save_adapter(student.model, tmp_path / "adapter")
    with torch.no_grad():
        reloaded = logits(with_adapter(in_four_bits(tiny_folder, monkeypatch), tmp_path / "adapter"))
        assert torch.equal(reloaded, after)
        merge(tiny_folder, tmp_path / "adapter", tmp_path / "merged", "nf4")
        for path in tiny_folder.iterdir():
            if not (tmp_path / "merged" / path.name).exists():
                shutil.copy(path, tmp_path / "merged")
        assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
        merged = load_on_cpu(tmp_path / "merged")
        assert torch.allclose(logits(merged), after, atol=1e-4)
