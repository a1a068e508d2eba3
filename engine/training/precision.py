"""The precision of a GPU's matrix products in the steps of a float32 run. Knows nothing of what is multiplied.

From Ampere on, a GPU can round the factors to the 10-bit mantissa of TF32, at many times the speed of float32; sums
stay in float32. That is enough for gradients. Scoring, sampling and measuring stay in float32: other code relies on it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from engine.gpus import computes_bfloat16
from engine.model.local_model import LocalModel

TF32_NOTE = (
    "The steps of this run multiply in TF32, which is many times faster than float32; the teacher, validation and "
    "evaluations use float32."
)


def steps_in_tf32(local: LocalModel) -> bool:
    """Whether the model is in float32 on an NVIDIA GPU that has TF32, which are those that compute in bfloat16."""
    on_gpu = local.device.type == "cuda" and torch.version.hip is None
    return (
        on_gpu and local.dtype == torch.float32 and computes_bfloat16(torch.cuda.get_device_capability(local.device)[0])
    )


@contextmanager
def scoring_precision() -> Iterator[None]:
    """While inside, even within a step, products have the full precision of scoring."""
    before = torch.get_float32_matmul_precision()
    if before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def step_precision(local: LocalModel) -> Iterator[None]:
    """While inside, products have the precision of a training step of `local`."""
    if not steps_in_tf32(local):
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
