"""What fails on a thread is seen by nobody: whatever it is, it becomes an error that a person is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.errors import DistillError


def told_as(error: Exception) -> DistillError:
    """The error in three sentences: one of ours as it is, what the system refused, or a defect of the program."""
    if isinstance(error, DistillError):
        return error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        said = f"{where}{error.strerror or error}."
        return DistillError("The system refused.", said, "Check the free space and the permissions, then try again.")
    said = f"{type(error).__name__}: {error}"
    return DistillError("The program failed.", said, "That is a defect of distill-tui. What was stored before stays.")


@contextmanager
def failing_to(tell: Callable[[DistillError], object]) -> Iterator[None]:
    """Whatever goes wrong inside is handed to `tell`."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - else nobody would see it
        tell(told_as(error))
