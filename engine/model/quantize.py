"""A base whose linear layers are held in four bits (NF4 with double quantisation, QLoRA, arXiv 2305.14314).

Weights are rounded to 16 values per block of 64 once, when the base is loaded, and dequantised in each layer while it
computes; the output head and the token embeddings stay unchanged. Knows nothing of adapters.
"""

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from engine.model.four_bits import require_bitsandbytes


def nf4(dtype: torch.dtype) -> BitsAndBytesConfig:
    """Return the configuration with which transformers loads a base in four bits; layers compute in `dtype`."""
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


@torch.no_grad()
def round_to_nf4(model: PreTrainedModel) -> None:
    """Round the weights of a plain base to their four-bit values, kept as plain numbers, to merge an adapter into them.

    Changes the model in place, on its current device. Raises `ModelError` without bitsandbytes.
    """
    require_bitsandbytes()
    import bitsandbytes  # an extra

    head = model.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, nn.Linear | Conv1D) and module is not head:
            # As in transformers, which stores the weights of a Conv1D transposed.
            turned = isinstance(module, Conv1D)
            weight = module.weight.T.contiguous() if turned else module.weight.data
            packed, state = bitsandbytes.functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
            plain = bitsandbytes.functional.dequantize_4bit(packed, state)
            module.weight.copy_(plain.T if turned else plain)


def is_quantized(model: PreTrainedModel) -> bool:
    """Whether the model was loaded in four bits."""
    return bool(getattr(model, "is_loaded_in_4bit", False))
