"""Adds an adapter's weights to those of its base, for a model that needs no peft. Knows nothing of releases."""

from pathlib import Path
from typing import cast

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from engine.errors import ModelError
from engine.model.folder import stored_dtype
from engine.model.load import quiet_libraries, read_base, with_adapter
from engine.model.quantize import round_to_nf4
from engine.model.shapes import float32_tensors
from engine.records.run import QuantizedBase


def merge(base: Path, adapter: Path, destination: Path, quantize: QuantizedBase = "none") -> None:
    """Write base + adapter to `destination` as safetensors with the configuration, but no tokenizer.

    Adds in float32 on the CPU and rounds once to the dtype that the base is stored in: a float32 base then answers like
    base and adapter, a bfloat16 one up to the rounding of each weight. An adapter over a base in four bits is added to
    the dequantised values. Raises ModelError.
    """
    plain = read_base(base, device="cpu", dtype="float32")
    if quantize == "nf4":
        round_to_nf4(plain.base)
    local = with_adapter(plain, adapter)
    with quiet_libraries():
        try:
            # safe_merge: an overflow would otherwise be written as a model that answers nonsense.
            merged = cast("PreTrainedModel", cast("PeftModel", local.model).merge_and_unload(safe_merge=True))
        except ValueError as error:
            raise ModelError(
                "Cannot merge the adapter.", f"{adapter}: {error}", "Export the adapter form, or train again."
            ) from error
        _round(merged, base)
        if hasattr(merged.config, "auto_map"):
            del merged.config.auto_map  # names code that users of the release might run
        text = merged.config.get_text_config()
        for heads in ("mtp_num_hidden_layers", "num_nextn_predict_layers"):
            if getattr(text, heads, 0):
                setattr(text, heads, 0)  # transformers does not load these heads, so they are not written either
        merged.save_pretrained(destination)


def _round(merged: PreTrainedModel, base: Path) -> None:
    """Round the model to the dtype that the base is stored in, except what the base keeps in float32."""
    whole = getattr(torch, stored_dtype(base), None)
    precise = float32_tensors(base)
    kept = {name: tensor.data.clone() for name, tensor in _tensors(merged) if name in precise}
    merged.to(whole if isinstance(whole, torch.dtype) else torch.float32)
    for name, tensor in _tensors(merged):
        if name in kept:
            tensor.data = kept[name]


def _tensors(model: PreTrainedModel) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]
