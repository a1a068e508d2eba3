"""SQLite's errors as three sentences that the user can act on. Knows nothing of tables."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DamagedError, StoreError

_PRIMARY_CODE = 0xFF  # extended codes keep the primary one in their lowest byte

_SENTENCES: dict[int, tuple[str, str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "The project is busy.",
        "Another process kept {path} locked for too long.",
        "Try again. `distill-tui jobs list` shows what is running.",
    ),
    sqlite3.SQLITE_FULL: (
        "The disk is full.",
        "{path} cannot grow, so this change was not saved.",
        "Free some space, then try again. Everything saved before is safe.",
    ),
    sqlite3.SQLITE_READONLY: (
        "The project is read-only.",
        "You cannot write to {path} or its folder.",
        "Check the owner and permissions of the folder, or copy the project to a folder that you can write to.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "The project cannot be opened.",
        "{path} or a file next to it cannot be opened.",
        "Check that the folder exists and that you can read and write it.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "The project's database is damaged.",
        "{path} is corrupt ({detail}).",
        "Run `distill-tui doctor`. Restore a backup, or the copy made before the last migration.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "This is not a project.",
        "{path} is not an SQLite database.",
        "Choose another folder, or restore project.db from a backup.",
    ),
    sqlite3.SQLITE_IOERR: (
        "The disk reported an error.",
        "Reading or writing {path} failed ({detail}).",
        "Check the disk and its free space, then try again.",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "Cannot save the change.",
        "It conflicts with the data in {path} ({detail}).",
        "Check whether something that it belongs to was deleted in the meantime, then try again.",
    ),
}
_SENTENCES[sqlite3.SQLITE_LOCKED] = _SENTENCES[sqlite3.SQLITE_BUSY]
_SENTENCES[sqlite3.SQLITE_PERM] = _SENTENCES[sqlite3.SQLITE_READONLY]
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_OTHERWISE = (
    "The project's database reported an error.",
    "{path}: {detail}.",
    "Try again. If the error persists, run `distill-tui doctor`.",
)


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """Return the `StoreError` that explains `error` for the database at `path`."""
    code = error.sqlite_errorcode & _PRIMARY_CODE
    title, message, next_step = _SENTENCES.get(code, _OTHERWISE)
    return (DamagedError if code in _DAMAGED else StoreError)(title, message.format(path=path, detail=error), next_step)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside into `StoreError`. Misuse of the driver is a defect and passes through."""
    try:
        yield
    except sqlite3.Error as error:
        # Only errors reported by SQLite itself carry a code; the driver's own are defects of this program.
        if getattr(error, "sqlite_errorcode", None) is None:
            raise
        raise explain(error, path) from error
