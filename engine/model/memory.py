"""When memory does not suffice: whether an error says so, and what it is told as. Knows nothing of models."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from engine.errors import ModelError

# What torch says in words alone: its processor's allocator, the driver, and the library that computes products.
_SAID = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

Made = TypeVar("Made")


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


def fewer_at_once(make: Callable[[int], Made], most: int) -> Made:
    """What `make` makes of `most` things at once, or of half as many, and so on, while memory does not suffice.

    Raises what tells of the memory where even one at a time is too much.
    """
    while True:
        try:
            return make(most)
        except (RuntimeError, MemoryError) as error:
            if most == 1 or not is_out_of_memory(error):
                raise
        # Outside the handler, because the exception holds on to the tensors of what failed.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        most //= 2
