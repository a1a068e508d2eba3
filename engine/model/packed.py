"""Weights packed into the layout of the CPU's matrix products, while many small products follow one another.

A product of a few rows spends most of its time converting the weight to that layout, again at every token. Packed once,
the linear layers of SmolLM2-135M take 0.5 to 0.6 of the time at 4 to 16 rows, and at 128 rows 0.8 (float32) and 0.9
(bfloat16). Knows nothing of decoding.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional

from engine.machine import free_memory_bytes
from engine.model.local_model import LocalModel

_SHARE = 1 / 3  # of the free memory that the second copy of the weights may take


@contextmanager
def packed_weights(local: LocalModel, local_processes: int = 1) -> Iterator[None]:
    """Have plain linear layers multiply with packed copies of their weights while inside, if no gradient is needed.

    The weights must not change inside. Nothing is packed on devices other than a CPU with oneDNN, in dtypes that it
    does not support, if memory is short, or inside another such block. `local_processes`: how many on this
    machine do the same, including this one.
    """
    small = _matrices(local.base)
    layers = [layer for layer in local.base.modules() if _plain(layer) and id(layer) not in small]
    packed: list[nn.Linear] = []
    try:
        with torch.inference_mode():
            for layer in layers if _helps(local, local_processes) else ():
                layer.forward = _multiply(layer)
                packed.append(layer)
        yield
    finally:
        for layer in packed:
            del layer.forward  # uncovers the class's own


def _helps(local: LocalModel, local_processes: int) -> bool:
    if local.device.type != "cpu" or local.quantized or not torch.backends.mkldnn.is_available():
        return False
    known = local.dtype == torch.float32 or (
        local.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
    )
    size = sum(each.numel() * each.element_size() for each in local.base.parameters())
    return bool(known) and size < _SHARE * free_memory_bytes() / local_processes


def _matrices(model: nn.Module) -> set[int]:
    """The identities of the adapters' matrices, which are too small to be worth packing."""
    adapted = [layer for layer in model.modules() if isinstance(layer, LoraLayer)]
    return {id(matrix) for layer in adapted for matrix in (*layer.lora_A.values(), *layer.lora_B.values())}


def _plain(layer: nn.Module) -> bool:
    """Whether this is exactly a linear layer, with complete weights here that are not packed yet."""
    return (
        type(layer) is nn.Linear
        and type(layer.weight) is nn.Parameter
        and layer.weight.dtype in (torch.float32, torch.bfloat16)
        and "forward" not in vars(layer)
    )


def _multiply(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    """Return a replacement for the layer's `forward`: (..., in) → (..., out)."""
    weight, bias = layer.weight, layer.bias
    # The operators that torch's compiler uses for frozen weights; torch has no public names for them.
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach())  # noqa: SLF001
    multiply = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001

    def forward(hidden: Tensor) -> Tensor:
        if torch.is_grad_enabled() or hidden.dtype != weight.dtype:
            return functional.linear(hidden, weight, bias)
        product: Tensor = multiply(hidden, packed, bias, "none", [], "")
        return product

    return forward
