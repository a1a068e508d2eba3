"""When memory does not suffice: whether an error says so, and what it is told as. Knows nothing of models."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from engine.errors import ModelError

# What torch says in words alone: its processor's allocator, the driver, and the library that computes products.
_SAID = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python gave up for lack of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)


@contextmanager
def within_memory(advice: str, what: str = "The answers") -> Iterator[None]:
    """While inside, memory of the device that does not suffice is a `ModelError` with this advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(f"{what} do not fit the device's memory.", f"{error}", advice) from error
