"""An error that is for lack of memory is told as that, whoever gives up and however it says so."""

import pytest
import torch

from engine.errors import ModelError
from engine.model.memory import halve_until_it_fits, is_out_of_memory, within_memory


def too_much() -> None:
    torch.empty(1 << 55)


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_lacks_memory(error: BaseException, lacking: bool) -> None:
    assert is_out_of_memory(error) == lacking


def test_the_processors_own_is_told_with_what_to_do() -> None:
    with pytest.raises(RuntimeError) as raised:
        too_much()
    assert is_out_of_memory(raised.value)
    told_as = r"The answers of arm base do not fit.*memory.* Ask for fewer\."
    with pytest.raises(ModelError, match=told_as) as told, within_memory("Ask for fewer.", "The answers of arm base"):
        too_much()
    assert "allocate" in told.value.message
    with pytest.raises(ZeroDivisionError), within_memory("Ask for fewer."):
        raise ZeroDivisionError


def test_half_as_many_are_tried_until_they_fit() -> None:
    tried: list[int] = []

    def make(most: int) -> int:
        tried.append(most)
        if most > 6:
            too_much()
        return most

    assert halve_until_it_fits(make, 25) == 6
    assert tried == [25, 12, 6]
    tried.clear()
    with pytest.raises(RuntimeError, match="allocate"):
        halve_until_it_fits(lambda most: (tried.append(most), too_much()), 5)
    assert tried == [5, 2, 1]
    with pytest.raises(ZeroDivisionError):
        halve_until_it_fits(lambda most: most / 0, 5)
