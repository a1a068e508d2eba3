"""Locks that the kernel releases when their holder dies, however it dies. Knows nothing of what they guard."""

import fcntl
import os
from pathlib import Path

from engine.errors import JobError
from engine.paths import PRIVATE_FILE_MODE

_held: set[int] = set()


class FileLock:
    """An exclusive `flock` on a file, held until `release` or the end of this process."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def take(cls, path: Path) -> "FileLock | None":
        """Return the lock on `path` (created if missing), or None while it is held.

        Raises `JobError` if the file cannot be created or its file system has no locks.
        """
        try:
            return cls(_open_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return None

    @classmethod
    def wait_for(cls, path: Path) -> "FileLock":
        """Return the lock on `path` (created if missing) as soon as nobody else holds it. Raises as `take` does."""
        return cls(_open_locked(path, fcntl.LOCK_EX))

    def write(self, text: str) -> None:
        """Replace the locked file's content, which says who holds the lock."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)

    def release(self) -> None:
        """Release the lock. Its file stays."""
        _held.discard(self._file)
        os.close(self._file)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _open_locked(path: Path, operation: int) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        try:
            fcntl.flock(file, operation)
        except BaseException:
            os.close(file)
            raise
    except BlockingIOError:
        raise
    except OSError as error:
        raise JobError(
            "Cannot take a file lock.",
            f"{path}: {error.strerror or error}.",
            "Put the project and DISTILL_TUI_HOME on a writable file system that supports file locks.",
        ) from error
    _held.add(file)
    return file


def _close_in_child() -> None:
    # A forked child shares its parent's locks: one that outlives the parent would keep holding them.
    for file in _held:
        os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
