"""Reads the user's text files, in the same way for the command line and the app. Standard library only."""

from engine.errors import NotFoundError, UsageError
from engine.paths import expand

MOST_BYTES = 64_000_000
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file starts


def read_text(path: str, *, regular: bool = False) -> str:
    """Return the text of a file, `~` expanded, without a byte order mark.

    `regular`: refuse a device or a pipe, which may never end, and a huge file. Raises `NotFoundError`, `UsageError`.
    """
    file = expand(path)
    try:
        if regular and file.exists() and not file.is_file():
            raise UsageError("This is not a file.", f"{path} is a folder, a device or a pipe.", "Check the path.")
        if regular and file.is_file() and file.stat().st_size > MOST_BYTES:
            raise UsageError(
                "The file is too large.", f"{path} has more than {MOST_BYTES:,} bytes.", "Use a part of it."
            )
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFoundError("The file cannot be read.", f"{path} does not exist.", "Check the path.") from None
    except OSError as error:
        raise UsageError("The file cannot be read.", f"{path}: {error.strerror}.", "Check the path.") from None
    return decode_text(data, path)


def decode_text(data: bytes, source: str) -> str:
    """Decode UTF-8. Raises `UsageError` that names the first invalid byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        why = "it is UTF-16" if data.startswith(UTF_16) else f"byte {error.start} is invalid"
        raise UsageError("The file is not UTF-8 text.", f"{source}: {why}.", "Save it as UTF-8.") from None
