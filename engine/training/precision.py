"""How exactly a GPU multiplies in the steps of a float32 run. Knows nothing of what is multiplied.

From Ampere on it can round what it multiplies to the 10 bits of TF32, and does so at many times the speed of float32;
sums stay in float32. Gradients bear it. What is scored, sampled or measured is left as it was: others rely on it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from engine.gpus import computes_bfloat16
from engine.model.local_model import LocalModel

TF32_NOTE = (
    "Products of this run's steps are computed in TF32, at many times the speed of float32; what the teacher says, "
    "validation and evaluations are computed in float32."
)


def steps_in_tf32(local: LocalModel) -> bool:
    """Whether the model is in float32, on a GPU of NVIDIA's that has TF32: those that compute in bfloat16."""
    on_gpu = local.device.type == "cuda" and torch.version.hip is None
    return (
        on_gpu and local.dtype == torch.float32 and computes_bfloat16(torch.cuda.get_device_capability(local.device)[0])
    )


@contextmanager
def products_of_scoring() -> Iterator[None]:
    """While inside, within a step too, products are as exact as where nothing is learned."""
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
def products_of_steps(local: LocalModel) -> Iterator[None]:
    """While inside, products of `local` are those of a step."""
    if not steps_in_tf32(local):
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
