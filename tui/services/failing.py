"""Failures on threads would go unseen: turns whatever fails there into an error that is shown."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.errors import DistillError


def as_distill_error(error: Exception) -> DistillError:
    """Convert to our three-sentence error, if it is none, and its advice to the app's keys."""
    if isinstance(error, DistillError):
        from tui.advice import in_app  # its table of actions imports Textual, which must come after the settings

        error.next = in_app(error.next)
        return error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        detail = f"{where}{error.strerror or error}."
        return DistillError(
            "The operating system reported an error.",
            detail,
            "Check the free space and the permissions, then try again.",
        )
    detail = f"{type(error).__name__}: {error}"
    return DistillError("The program failed.", detail, "This is a bug in distill-tui. Nothing stored before is lost.")


@contextmanager
def failing_to(tell: Callable[[DistillError], object]) -> Iterator[None]:
    """Pass any failure inside to `tell`."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - otherwise it would go unseen
        tell(as_distill_error(error))
