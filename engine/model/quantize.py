"""A base whose linear layers are held in four bits (NF4 with double quantisation, QLoRA, arXiv 2305.14314).

Weights are rounded to 16 values per block of 64 once, when the base is loaded, and dequantised in each layer while it
computes; the output head and the token embeddings stay unchanged. Knows nothing of adapters.
"""

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel

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
        if isinstance(module, nn.Linear) and module is not head:
            packed, state = bitsandbytes.functional.quantize_4bit(
                module.weight.data, quant_type="nf4", compress_statistics=True
            )
            module.weight.copy_(bitsandbytes.functional.dequantize_4bit(packed, state))


def is_quantized(model: PreTrainedModel) -> bool:
    """Whether the model was loaded in four bits."""
    return bool(getattr(model, "is_loaded_in_4bit", False))
