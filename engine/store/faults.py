"""What SQLite reports, in the three sentences that a person can act on. Knows nothing of tables."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DamagedError, StoreError

_PRIMARY_CODE = 0xFF  # extended codes keep the primary one in their lowest byte

_SENTENCES: dict[int, tuple[str, str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "The project is busy.",
        "Another process held {path} locked for longer than this one waits.",
        "Try again; `distill-tui jobs list` shows who is at work.",
    ),
    sqlite3.SQLITE_FULL: (
        "The disk is full.",
        "{path} could not grow; nothing of this change was kept.",
        "Free some space, then try again: everything stored before is safe.",
    ),
    sqlite3.SQLITE_READONLY: (
        "The project cannot be written.",
        "{path} or its folder is read-only for you.",
        "Check the owner and the permissions of the folder, or copy the project to a place that you can write.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "The project cannot be opened.",
        "{path} or the files beside it cannot be opened.",
        "Check that the folder exists and that you may read and write it.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "The project's database is damaged.",
        "{path} does not hold together any more ({detail}).",
        "Run `distill-tui doctor`; restore a backup, or the copy that was made before the last migration.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "This is not a project.",
        "{path} is no SQLite database.",
        "Name another folder, or restore project.db from a backup.",
    ),
    sqlite3.SQLITE_IOERR: (
        "The disk failed.",
        "Reading or writing {path} failed ({detail}).",
        "Check the disk and the free space, then try again.",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "The store refused a fact.",
        "{path}: it contradicts what is stored ({detail}).",
        "Look whether what it belongs to was removed in the meantime, then try again.",
    ),
}
_SENTENCES[sqlite3.SQLITE_LOCKED] = _SENTENCES[sqlite3.SQLITE_BUSY]
_SENTENCES[sqlite3.SQLITE_PERM] = _SENTENCES[sqlite3.SQLITE_READONLY]
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_OTHERWISE = (
    "The project's database reported a failure.",
    "{path}: {detail}.",
    "Try again; if it stays, run `distill-tui doctor`.",
)


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """The `StoreError` that says what `error` means for the database at `path`."""
    code = error.sqlite_errorcode & _PRIMARY_CODE
    title, message, next_step = _SENTENCES.get(code, _OTHERWISE)
    return (DamagedError if code in _DAMAGED else StoreError)(title, message.format(path=path, detail=error), next_step)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise SQLite's own errors inside as `StoreError`; misuse of the driver stays the defect that it is."""
    try:
        yield
    except sqlite3.Error as error:
        # Only errors that SQLite itself reported carry a code; the driver's own are defects of this program.
        if getattr(error, "sqlite_errorcode", None) is None:
            raise
        raise explain(error, path) from error
