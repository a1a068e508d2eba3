"""Copies tensors to a device without waiting for it. Knows nothing of what they hold."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return `tensor`, which must be in ordinary memory, on `device`.

    An ordinary copy to a GPU returns only when everything that it was asked before is done; a copy from page-locked
    memory is queued behind it.
    """
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
