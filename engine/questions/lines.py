"""Lines of a file or standard input, with a length limit: a line that is too long is skipped whole, never cut.

Knows nothing of what a line means.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from engine.errors import UsageError
from engine.texts import UTF_16

MAX_LINE_BYTES = 10_000_000
_TEXT_WITHIN_BYTES = 8_000  # a NUL this early means that the file is not text, as git and grep decide it


@dataclass(frozen=True, slots=True)
class Line:
    """Line `number`, from 1. `text` includes the line end; None if unreadable, and `problem` says why."""

    number: int
    text: str | None
    problem: str = ""


def read_lines(stream: BinaryIO, source: str) -> Iterator[Line]:
    """Iterate over the lines, decoded as UTF-8. Raises UsageError if the file is UTF-16, or is not text."""
    number = read = 0
    while data := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            if data.startswith(UTF_16):
                raise UsageError(f"{source} cannot be read", "It is UTF-16, not UTF-8.", "Save it as UTF-8.")
            data = data.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in data[: max(_TEXT_WITHIN_BYTES - read, 0)]:
            raise UsageError(
                f"{source} cannot be read",
                f"It is not text: line {number} contains a NUL byte.",
                "Use a file of text, JSON lines, CSV or Parquet, with the ending that says which.",
            )
        read += len(data)
        if len(data) > MAX_LINE_BYTES:
            while data and not data.endswith(b"\n"):
                data = stream.readline(MAX_LINE_BYTES)
            yield Line(number, None, f"longer than {MAX_LINE_BYTES // 1_000_000} MB")
            continue
        try:
            yield Line(number, data.decode())
        except UnicodeDecodeError as error:
            yield Line(number, None, f"not UTF-8: byte {error.start + 1} is 0x{data[error.start]:02x}")
