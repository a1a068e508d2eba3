"""Writes a release beside its destination, checksums it and renames it, so that a partial one is never visible.

Knows nothing of what a release holds.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.errors import StoreError, UsageError
from engine.paths import make_private_folder, sha256_of, sync_folder, write_atomically

CHECKSUMS = "SHA256SUMS"
_HALF = ".half-release-"  # in the names of folders that are not releases yet, or no longer
_OLD = ".old"


def require_free(target: Path, *, force: bool) -> None:
    """Raise `UsageError` unless `target` is missing, empty or, with `force`, a release."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir():
        raise UsageError("The destination is not a folder.", f"{target} is a file.", "Choose another folder.")
    if not force:
        raise UsageError(
            "The destination is not empty.",
            f"{target} contains files.",
            "Choose another folder, or replace it (--force).",
        )
    if not (target / CHECKSUMS).is_file():
        raise UsageError(
            "The destination is not a release.",
            f"{target} has no {CHECKSUMS}, so it may hold something else and is not replaced.",
            "Choose another folder, or empty this one yourself.",
        )


@contextlib.contextmanager
def beside(target: Path, *, force: bool) -> Iterator[Path]:
    """Yield a new folder next to `target`; it replaces `target` if the block succeeds, and is removed otherwise.

    Raises as `require_free` does, before the block and after it: the user may have put something there meanwhile.
    """
    require_free(target, force=force)
    make_private_folder(target.parent)
    try:
        with _swept(target):
            folder = Path(tempfile.mkdtemp(prefix=f".{target.name}{_HALF}", dir=target.parent))
            try:
                yield folder
                require_free(target, force=force)
                _replace(target, folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise StoreError(
            "Cannot write the release.",
            f"{target}: {error.strerror or error}.",
            "Check the permissions and the free disk space, then try again.",
        ) from error


@contextlib.contextmanager
def _swept(target: Path) -> Iterator[None]:
    """Remove what a killed export left next to `target`; while inside, no other export removes anything there."""
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # held by another export, or the file system does not support locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in target.parent.iterdir():
                # An export killed between its two renames leaves only the release that it was replacing.
                only = left.name.endswith(_OLD) and not target.exists()
                if left.name.startswith(f".{target.name}{_HALF}") and not only:
                    shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _replace(target: Path, folder: Path) -> None:
    old = folder.with_name(folder.name + _OLD)
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_checksums(folder: Path) -> str:
    """Write SHA256SUMS for all other files, in the format of `sha256sum -c`; return the SHA-256 of that list."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    data = "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files).encode()
    write_atomically(folder / CHECKSUMS, data)
    return hashlib.sha256(data).hexdigest()
