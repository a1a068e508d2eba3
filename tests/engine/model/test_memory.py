"""Out-of-memory errors are recognised and explained, whatever raises them."""

import pytest
import torch

from engine.errors import ModelError
from engine.model.memory import halve_until_it_fits, is_out_of_memory, within_memory


def exhaust_memory() -> None:
    torch.empty(1 << 55)


@pytest.mark.parametrize(
    ("error", "expected"),
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
def test_out_of_memory_errors_are_recognised(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


def test_out_of_memory_on_the_cpu_is_explained_with_advice() -> None:
    with pytest.raises(RuntimeError) as raised:
        exhaust_memory()
    assert is_out_of_memory(raised.value)
    message = r"The answers of arm base do not fit.*memory.* Ask for fewer\."
    with pytest.raises(ModelError, match=message) as caught, within_memory("Ask for fewer.", "The answers of arm base"):
        exhaust_memory()
    assert "allocate" in caught.value.message
    with pytest.raises(ZeroDivisionError), within_memory("Ask for fewer."):
        raise ZeroDivisionError


def test_count_is_halved_until_it_fits() -> None:
    tried: list[int] = []

    def make(count: int) -> int:
        tried.append(count)
        if count > 6:
            exhaust_memory()
        return count

    assert halve_until_it_fits(make, 25) == 6
    assert tried == [25, 12, 6]
    tried.clear()

    def fail(count: int) -> None:
        tried.append(count)
        exhaust_memory()

    with pytest.raises(RuntimeError, match="allocate"):
        halve_until_it_fits(fail, 5)
    assert tried == [5, 2, 1]
    with pytest.raises(ZeroDivisionError):
        halve_until_it_fits(lambda count: count / 0, 5)
