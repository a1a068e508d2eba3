"""A base in four bits: refused where it cannot be; where bitsandbytes is installed, exact in what is built on it.

bitsandbytes computes on a processor too, many times slower; so what needs a GPU in earnest is proven on tiny models
here: `uv sync --extra qlora`. Its memory and its speed are not.
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

installed = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra qlora")
IDS = torch.tensor([[5, 40, 61, 33, 9, 12]])
CONFIG = TrainingConfig(base="tiny", lora_rank=4, lora_alpha=8, quantize_base="nf4")


def test_on_a_processor_it_is_refused_with_what_to_do(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"needs an NVIDIA GPU.*cpu.*--quantize-base none"):
        load_base(tiny_folder, device="cpu", quantize="nf4")


def test_without_bitsandbytes_it_is_refused_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.model.four_bits.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"bitsandbytes is not installed.*distill-tui\[qlora\]"):
        require_four_bits("cuda", on_gpu=True)


def test_it_is_nf4_with_double_quantisation_computed_in_the_bases_numbers() -> None:
    config = nf4(torch.bfloat16)
    assert (config.load_in_4bit, config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert config.bnb_4bit_compute_dtype == torch.bfloat16


def test_an_adapter_over_four_bits_is_merged_only_where_they_can_be_read(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.four_bits.find_spec", lambda _: None)
    with pytest.raises(ModelError, match="bitsandbytes is not installed"):
        merge(tiny_folder, tmp_path, tmp_path / "merged", "nf4")


def in_four_bits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> LocalModel:
    """The base as on a GPU, on the processor."""
    monkeypatch.setattr(load_module, "require_four_bits", lambda *_, **__: None)
    # Where the processor knows bfloat16, its kernel takes larger layers than these, and rounds what is compared here.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
    return load_base(folder, device="cpu", dtype="float32", quantize="nf4")


def logits(local: LocalModel) -> torch.Tensor:
    return local.logits(local.backbone(input_ids=IDS, use_cache=False).last_hidden_state)


@installed
def test_an_adapter_is_trained_over_it_and_switched_off_it_leaves_the_same_base(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load_base(tiny_folder, device="cpu", dtype="float32")
    base = in_four_bits(tiny_folder, monkeypatch)
    assert base.quantized
    assert not plain.quantized
    assert parameter_shapes(base) == parameter_shapes(plain)
    taught = [DatasetPrompt(Prompt((Message("system", "Be brief."),)), ())]
    assert cache_key(base, [], taught, 4) != cache_key(plain, [], taught, 4)
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
        again = logits(with_adapter(in_four_bits(tiny_folder, monkeypatch), tmp_path / "adapter"))
        assert torch.equal(again, after)
        merge(tiny_folder, tmp_path / "adapter", tmp_path / "merged", "nf4")
        for path in tiny_folder.iterdir():
            if not (tmp_path / "merged" / path.name).exists():
                shutil.copy(path, tmp_path / "merged")
        assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
        merged = load_base(tmp_path / "merged", device="cpu", dtype="float32")
        assert torch.allclose(logits(merged), after, atol=1e-4)
