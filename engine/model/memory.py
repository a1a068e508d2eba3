"""A device's memory: whether an error means that it is full, how that is reported, and how it is released.

Knows nothing of models.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from engine.errors import ModelError

# What torch reports only by message: its CPU allocator, the driver, and the library that computes products.
_MESSAGES = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

Made = TypeVar("Made")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python failed for lack of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _MESSAGES)


@contextmanager
def within_memory(advice: str, what: str = "The answers") -> Iterator[None]:
    """Turn errors about the device's memory into a `ModelError` with this advice while inside."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(f"{what} do not fit the device's memory.", f"{error}", advice) from error


def halve_until_it_fits(make: Callable[[int], Made], most: int) -> Made:
    """Return `make(most)`, or with half as many at once, and so on, while there is not enough memory.

    Raises the error about memory if even one at a time is too much.
    """
    while True:
        try:
            return make(most)
        except (RuntimeError, MemoryError) as error:
            if most == 1 or not is_out_of_memory(error):
                raise
        # Outside the handler, because the exception keeps references to the tensors of the failed attempt.
        release_memory()
        most //= 2


def release_memory() -> None:
    """Release the memory of what is no longer referenced, so that other processes can use it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def releasing() -> Iterator[None]:
    """Afterwards, release the models loaded inside, which nobody may reference by then.

    For the block of a job that holds a device: the process may go on for long, and the next job needs the memory.
    """
    try:
        yield
    finally:
        release_memory()
