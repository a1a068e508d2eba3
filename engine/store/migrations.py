"""Brings a database to the schema of this program: all pending steps in one transaction, a backup before them.

`PRAGMA user_version` counts the applied steps, so that a current database is known without sqlite-utils, whose
import takes a second.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import SchemaError, StoreError
from engine.store.connection import APPLICATION_ID, Connection
from engine.store.schema import STEPS

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations


def migrate(connection: Connection) -> None:
    """Bring the database to this program's schema, whole or not at all; a backup of a non-empty one comes first.

    Raises `SchemaError` where it is newer than this program, cannot be backed up, or a step fails.
    """
    found = check_schema(connection)
    if found == len(STEPS):
        return
    steps = _as_migrations()
    try:
        with connection.transaction():
            # Another process may have been faster since: a newer one is refused here, after an equal one nothing is
            # pending any more. The backup is made in here too, else it could be of what the other has changed.
            found = check_schema(connection)
            if found < len(STEPS) and connection.number("SELECT count(*) FROM sqlite_schema"):
                connection.back_up(backup_path(connection.path, found))
            steps.apply(_wrap(connection))
            connection.write(f"PRAGMA application_id={APPLICATION_ID}")
            connection.write(f"PRAGMA user_version={len(STEPS)}")
    except SchemaError:
        raise
    except StoreError as error:
        raise SchemaError(
            "The project could not be brought up to date.",
            f"{connection.path} keeps its schema {found}. {error}",
            "Nothing was lost; mend the cause, then open it again.",
        ) from error


def check_schema(connection: Connection) -> int:
    """How many steps the database has. Raises `SchemaError` for a newer one."""
    found = connection.number("PRAGMA user_version")
    if found > len(STEPS):
        raise SchemaError(
            "The project was written by a newer distill-tui.",
            f"{connection.path} has schema {found}; this program knows {len(STEPS)}.",
            "Update distill-tui, then open it again.",
        )
    return found


def backup_path(database: Path, schema: int) -> Path:
    """Where the copy is kept that was made before a migration from `schema`."""
    return database.with_name(f"{database.stem}-schema-{schema}.backup.db")


def _as_migrations() -> "Migrations":
    with _without_frames():
        migrations: Migrations = importlib.import_module("sqlite_utils").Migrations("distill-tui")
    for step in STEPS:
        migrations()(step)
    return migrations


def _wrap(connection: Connection) -> "Database":
    database: Database = importlib.import_module("sqlite_utils").Database(
        connection.driver, recursive_triggers=False, execute_plugins=False
    )
    return database


@contextmanager
def _without_frames() -> Iterator[None]:
    """Import sqlite-utils without pandas, which it looks for only to name column types, at the price of seconds."""
    absent = [name for name in ("pandas", "numpy") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: "cannot be imported"
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
