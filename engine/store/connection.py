"""One connection to one project's database: pragmas, transactions, checkpoints. Knows nothing of tables.

Statements go through the standard library's driver; sqlite-utils creates and migrates the schema (migrations.py).
Every write happens in a transaction that takes the write lock when it starts: in WAL mode, a transaction that reads
first and writes later can be refused at once, whatever the timeout.

Checkpoints. SQLite 3.7.0 to 3.51.2 can corrupt a WAL database if a writer resets the log just as a checkpoint starts
(https://sqlite.org/wal.html#walresetbug). So automatic checkpoints are off (`wal_autocheckpoint=0`). `checkpoint` takes
the write lock without writing anything, and a second, short-lived connection copies the log in the meantime: no writer
and no other checkpoint can run then, in any process. The checkpoint that SQLite makes when the last connection closes
holds the database exclusively, so it is safe too.

A process that holds a connection must not open the database's files in any other way: closing such a file would drop
SQLite's locks on it (https://sqlite.org/howtocorrupt.html, 2.2).
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from engine.errors import NotFoundError, StoreError, UsageError
from engine.paths import PRIVATE_FILE_MODE, sync_folder
from engine.store.sqlite_errors import explained
from engine.store.values import Value, Values, all_encodable, numbers_fit

APPLICATION_ID = 0x44545549  # "DTUI": marks this program's databases
BUSY_TIMEOUT_S = 60.0
SQLITE_VERSION = sqlite3.sqlite_version
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
COMMITS_PER_CHECKPOINT = 64
_KEPT_LOG_BYTES = 4 * 1024 * 1024  # a larger log is truncated to this size when it restarts


class Connection:
    """Statements and transactions on one database file, for one thread."""

    def __init__(self, path: Path, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the existing database at `path`; statements wait up to `timeout_s` for other writers.

        If its folder cannot be written to, it is opened for reading. Raises `NotFoundError` if there is none, and
        `StoreError` if it cannot be used.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreError(
                "This Python's SQLite is too old.",
                f"It includes {sqlite3.sqlite_version}; projects need {'.'.join(map(str, OLDEST_SQLITE))} or newer.",
                "Use another Python: `uv python install 3.13` installs one.",
            )
        self.path = path
        self._timeout_s = timeout_s
        self._commits = 0
        self._reading = False
        try:
            self._only_read = _can_only_be_read(path)
            self._file = self._identity()
        except OSError as error:
            raise NotFoundError(
                "There is no project here.",
                f"{path}: {error.strerror or error}.",
                "Create one with `distill-tui new`, or choose another folder.",
            ) from error
        with explained(path):
            self._driver = self._connect()

    @staticmethod
    def create_file(path: Path) -> None:
        """Create an empty database file, readable only by its owner. Raises `UsageError` if it exists."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, PRIVATE_FILE_MODE))
        except FileExistsError:
            raise UsageError(
                "The project already exists.", f"Found {path}.", "Choose another name, or open that project."
            ) from None
        except OSError as error:
            raise StoreError(
                "Cannot create the project.",
                f"{path}: {error.strerror or error}.",
                "Check the permissions and the free disk space.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        # `mode=rw`: a deleted database is an error; it is never silently created again.
        mode = "mode=ro&immutable=1" if self._only_read else "mode=rw"
        driver = sqlite3.connect(
            f"{_address(self.path)}?{mode}", uri=True, timeout=self._timeout_s, isolation_level=None
        )
        driver.row_factory = sqlite3.Row
        # SQLite's own `lower` only handles ASCII letters.
        driver.create_function("folded", 1, str.casefold, deterministic=True)
        try:
            self._prepare(driver)
        except BaseException:
            driver.close()
            raise
        return driver

    def _prepare(self, driver: sqlite3.Connection) -> None:
        for pragma in (
            "foreign_keys=ON",
            "synchronous=FULL",
            "trusted_schema=OFF",
            "mmap_size=0",
            "secure_delete=ON",
            "cell_size_check=ON",
            "wal_autocheckpoint=0",
            f"journal_size_limit={_KEPT_LOG_BYTES}",
        ):
            driver.execute(f"PRAGMA {pragma}").close()
        (used,) = driver.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        # Unlike the pragmas above, the journal mode is stored in the file.
        if used and driver.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(
                "This is not a project.", f"{self.path} belongs to another program.", "Choose another folder."
            )
        if not self._only_read and driver.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
            raise StoreError(
                "The project cannot be shared between processes in this location.",
                f"The file system under {self.path} does not support a write-ahead log.",
                "Keep projects on a local disk; set the folder with --home.",
            )

    @property
    def driver(self) -> sqlite3.Connection:
        """The standard library's connection, for the migrations."""
        return self._driver

    def close(self) -> None:
        """Close. A short log stays behind if other connections are open. Closing twice is harmless."""
        if self._commits:
            self._checkpoint_unless_busy()
        self._commits = 0
        self._driver.close()

    def rows(self, sql: str, values: Values = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with explained(self.path):
            self._same_file()
            return self._execute(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def value(self, sql: str, values: Values = ()) -> Value:
        """Return the first column of the first row, or None."""
        found = self.row(sql, values)
        value: Value = None if found is None else found[0]
        return value

    def number(self, sql: str, values: Values = ()) -> int:
        """Return the first column of the first row as an integer; 0 if there is none."""
        value = self.value(sql, values)
        return value if isinstance(value, int) else 0

    @property
    def version(self) -> tuple[int, int]:
        """A value that changes whenever anyone, including this connection, has written."""
        return self.number("PRAGMA data_version"), self._driver.total_changes

    def write(self, sql: str, values: Values = ()) -> int:
        """Run one writing statement, in a new transaction if none is open. Returns the number of changed rows."""
        return self._write(sql, values).rowcount

    def insert(self, sql: str, values: Values = ()) -> int:
        """Run one INSERT, in a new transaction if none is open. Returns the new row's id."""
        return self._write(sql, values).lastrowid or 0

    def write_many(self, sql: str, rows: Iterable[Values]) -> int:
        """Run one writing statement for each of `rows`, all or none. Returns the number of changed rows."""
        kept = list(rows)
        try:
            with self.transaction(), numbers_fit():
                return self._driver.executemany(sql, kept).rowcount
        except UnicodeEncodeError:
            with self.transaction(), numbers_fit():
                return self._driver.executemany(sql, [all_encodable(values) for values in kept]).rowcount

    def update(self, table: str, id: int, fields: Mapping[str, Value]) -> bool:
        """Set the `fields` of one row that are not None. Returns whether the row exists."""
        changes = {name: value for name, value in fields.items() if value is not None}
        if not changes:
            return self.row(f"SELECT 1 FROM {table} WHERE id = ?", (id,)) is not None
        names = ", ".join(f"{name} = ?" for name in changes)
        return self.write(f"UPDATE {table} SET {names} WHERE id = ?", (*changes.values(), id)) > 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside or nothing. Inside another transaction, it becomes part of that one."""
        with explained(self.path):
            if self._in_transaction():
                with self._savepoint():
                    yield
                return
            self._same_file()
            try:
                self._driver.execute("BEGIN IMMEDIATE")
                yield
                self._driver.execute("COMMIT")
            except BaseException:
                # Some errors, such as a full disk, have already ended the transaction.
                if self._in_transaction():
                    self._driver.execute("ROLLBACK")
                raise
            self._commits += 1
            if self._commits >= COMMITS_PER_CHECKPOINT:
                self._checkpoint_unless_busy()

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._refuse_while_reading()
        self._driver.execute("SAVEPOINT inner_facts")
        try:
            yield
        except BaseException:
            if self._in_transaction():
                self._driver.execute("ROLLBACK TO inner_facts")
                self._driver.execute("RELEASE inner_facts")
            raise
        self._driver.execute("RELEASE inner_facts")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Make all reads inside see the data of one point in time. Nothing may be written inside."""
        with explained(self.path):
            if self._in_transaction():
                yield
                return
            self._same_file()
            self._reading = True
            try:
                self._driver.execute("BEGIN")
                yield
            finally:
                self._reading = False
                if self._in_transaction():
                    self._driver.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Copy the log into the database, as described above. Raises `StoreError` if a writer is in the way."""
        with explained(self.path):
            self._driver.execute("BEGIN IMMEDIATE")
            try:
                with closing(self._connect()) as copier:
                    copier.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                self._driver.execute("ROLLBACK")

    def _checkpoint_unless_busy(self) -> None:
        # Everything is committed already. A writer in the way, or a full disk, only delays the copying: the next commit
        # tries again.
        self._driver.execute("PRAGMA busy_timeout=0")
        with suppress(StoreError):
            self.checkpoint()
            self._commits = 0
        self._driver.execute(f"PRAGMA busy_timeout={round(self._timeout_s * 1000)}")

    def check(self) -> tuple[str, ...]:
        """Return the problems found by `integrity_check` and `foreign_key_check`; empty if there are none."""
        broken = [str(row[0]) for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        dangling = [f"{row['table']} row {row['rowid']} refers to a missing row in {row['parent']}"
                    for row in self.rows("PRAGMA foreign_key_check")]  # fmt: skip
        return (*broken, *dangling)

    def back_up(self, copy: Path) -> None:
        """Write a compact copy of the database to `copy` (mode 0600, synced), replacing an existing file."""
        beside = copy.with_name(f"{copy.name}.part")
        try:
            beside.unlink(missing_ok=True)
            self.create_file(beside)
            # On a separate connection, so that it also works while this one holds the write lock.
            with explained(self.path), closing(self._connect()) as copier:
                copier.execute("VACUUM INTO ?", (_address(beside),)).close()
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(copy)
            sync_folder(copy.parent)
        except OSError as error:
            raise StoreError(
                "Cannot back up the project.",
                f"{copy}: {error.strerror or error}.",
                "Nothing was changed. Check the permissions and the free disk space.",
            ) from error
        finally:
            with suppress(OSError):  # a partial copy would keep a full disk full
                beside.unlink(missing_ok=True)

    def _write(self, sql: str, values: Values) -> sqlite3.Cursor:
        if self._in_transaction():
            self._refuse_while_reading()
            with explained(self.path):
                return self._execute(sql, values)
        with self.transaction():
            return self._execute(sql, values)

    def _refuse_while_reading(self) -> None:
        if self._reading:
            raise RuntimeError("a snapshot is read-only: anything written in it would be lost")

    def _in_transaction(self) -> bool:
        return self._driver.in_transaction

    def _execute(self, sql: str, values: Values) -> sqlite3.Cursor:
        with numbers_fit():
            try:
                return self._driver.execute(sql, values)
            except UnicodeEncodeError:
                return self._driver.execute(sql, all_encodable(values))

    def _identity(self) -> tuple[int, int, int]:
        status = self.path.stat()
        # SQLite takes no lock on a file that it may only read, so a writer who has the permission is noticed here.
        return status.st_dev, status.st_ino, status.st_mtime_ns if self._only_read else 0

    def _same_file(self) -> None:
        try:
            same = self._identity() == self._file
        except OSError:
            same = False
        if not same:
            title, what = "The project is gone.", "removed or replaced"
            if self._only_read:
                title, what = "The project has changed.", "written to, removed or replaced"
            raise StoreError(
                title,
                f"{self.path} was {what} while it was open.",
                "Open the project again. Nothing was written to the new file.",
            )


def _address(path: Path) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}"


def _can_only_be_read(path: Path) -> bool:
    """Whether the database has no log and none can be created beside it: SQLite can then read it as a plain file.

    Nobody has it open: whoever opens it needs a log. With a log, SQLite can only read it if its writer is running.
    """
    return not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
