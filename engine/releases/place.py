"""Where a release is written: beside its destination, checksummed, then renamed, so that a half one is never seen.

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
_HALF = ".half-release-"  # in the names of folders that are no releases yet, or no more
_OLD = ".old"


def require_free(target: Path, *, force: bool) -> None:
    """Raise `UsageError` unless `target` is not there, empty, or, with `force`, a release."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not force:
        raise UsageError(
            "The destination is not empty.", f"{target} holds files.", "Choose another folder, or add --force."
        )
    if not (target / CHECKSUMS).is_file():
        raise UsageError(
            "The destination is no release.",
            f"{target} has no {CHECKSUMS}, so it may hold something else; it is left alone.",
            "Choose another folder, or empty it yourself.",
        )


@contextlib.contextmanager
def beside(target: Path, *, force: bool) -> Iterator[Path]:
    """A new folder next to `target` that takes its place when the block ends well, and vanishes otherwise.

    Raises as `require_free` does, before the block and after it: a person may have put something there meanwhile.
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
            "The release cannot be written.",
            f"{target}: {error.strerror or error}.",
            "Check the permissions and the free space, then try again.",
        ) from error


@contextlib.contextmanager
def _swept(target: Path) -> Iterator[None]:
    """While inside, no other export clears away what lies next to `target`; what a killed one left there is gone."""
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # held by another export; or this file system knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in target.parent.iterdir():
                # Killed between two renames, an export leaves the release that it replaced as the only one.
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
    """Write SHA256SUMS over every other file, as `sha256sum -c` reads it; return the SHA-256 of that list."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    data = "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files).encode()
    write_atomically(folder / CHECKSUMS, data)
    return hashlib.sha256(data).hexdigest()
