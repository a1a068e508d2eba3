"""Migrates a database to this program's schema: all pending steps in one transaction, after a backup.

`PRAGMA user_version` counts the applied steps, so that an up-to-date database needs no import of sqlite-utils, which
takes a second.
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
    """Migrate the database to this program's schema, completely or not at all, after a backup if it is not empty.

    Raises `SchemaError` if it is newer than this program, if it cannot be backed up, or if a step fails.
    """
    found = check_schema(connection)
    if found == len(STEPS):
        return
    steps = _as_migrations()
    try:
        with connection.transaction():
            # Another process may have migrated it in the meantime: a newer schema is refused here, and with an equal
            # one nothing is pending. The backup is made inside too, or it could contain the other process's changes.
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
            "Cannot update the project to this version of distill-tui.",
            f"{connection.path} stays at schema {found}. {error}",
            "Nothing was lost. Fix the cause, then open the project again.",
        ) from error


def check_schema(connection: Connection) -> int:
    """Return the database's schema version. Raises `SchemaError` if it is newer than this program."""
    found = connection.number("PRAGMA user_version")
    if found > len(STEPS):
        raise SchemaError(
            "The project was written by a newer distill-tui.",
            f"{connection.path} has schema {found}; this version supports {len(STEPS)}.",
            "Update distill-tui, then open the project again.",
        )
    return found


def backup_path(database: Path, schema: int) -> Path:
    """Return the path of the backup made before a migration from `schema`."""
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
    """Import sqlite-utils without pandas, which takes seconds and which it only uses to name column types."""
    absent = [name for name in ("pandas", "numpy") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None means "cannot be imported"
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
