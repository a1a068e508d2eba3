"""Values for SQLite's columns: what it cannot store as it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.errors import UsageError

Value = str | int | float | bytes | None
Values = Sequence[Value]


@contextmanager
def numbers_fit() -> Iterator[None]:
    """Raise `UsageError` for an integer that is too large for a column."""
    try:
        yield
    except OverflowError as error:
        raise UsageError(
            "A number is too large.", "A project can only store numbers of up to 18 digits.", "Use a smaller one."
        ) from error


def all_encodable(values: Values) -> Values:
    """Return the values, with U+FFFD for unpaired surrogates."""
    # Unpaired surrogates, which JSON can contain, have no UTF-8 form: the only text that is not stored as is.
    return [_encodable(value) for value in values]


def _encodable(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
