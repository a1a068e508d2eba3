"""One connection to one project's database: pragmas, transactions, checkpoints. Knows nothing of tables.

The driver of the standard library carries the statements; sqlite-utils makes and migrates the schema (migrations.py).
Every write happens in a transaction that takes the write lock at its start: a transaction that reads first and
writes later could be refused in WAL mode without any waiting.

Checkpoints. SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when a writer resets the log at the moment when a
checkpoint starts (https://sqlite.org/wal.html#walresetbug). So no connection checkpoints by itself
(`wal_autocheckpoint=0`). `checkpoint` first takes the write lock, writes nothing under it, and lets a second,
short-lived connection copy the log meanwhile: no writer and no other checkpoint can run then, in any process. The
checkpoint that SQLite itself makes when the last connection closes holds the database exclusively, and is safe too.

Nothing in a process that holds a connection may open the database's files in another way: closing such a file would
drop SQLite's locks on it (https://sqlite.org/howtocorrupt.html, 2.2).
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from engine.errors import NotFoundError, StoreError, UsageError
from engine.paths import PRIVATE_FILE_MODE, sync_folder
from engine.store.faults import explained

Value = str | int | float | bytes | None
Values = Sequence[Value]

APPLICATION_ID = 0x44545549  # "DTUI": tells this program's databases from all others
BUSY_TIMEOUT_S = 60.0
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
COMMITS_PER_CHECKPOINT = 64
_KEPT_LOG_BYTES = 4 * 1024 * 1024  # a log that once grew larger is cut back to this when it starts again


class Connection:
    """Statements and transactions on one database file, for one thread."""

    def __init__(self, path: Path, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the database that exists at `path`; waits up to `timeout_s` for other writers.

        Raises `NotFoundError` where there is none, `StoreError` where it cannot be used.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreError(
                "This Python's SQLite is too old.",
                f"It brings {sqlite3.sqlite_version}; projects need {'.'.join(map(str, OLDEST_SQLITE))} or newer.",
                "Use another Python: `uv python install 3.13` brings one.",
            )
        self.path = path
        self._timeout_s = timeout_s
        self._commits = 0
        self._reading = False
        try:
            self._file = self._identity()
        except OSError as error:
            raise NotFoundError(
                "There is no project here.",
                f"{path}: {error.strerror or error}.",
                "Make one with `distill-tui new`, or name another.",
            ) from error
        with explained(path):
            self._driver = self._connect()

    @staticmethod
    def create_file(path: Path) -> None:
        """Make an empty database file, readable by its owner alone. Raises `UsageError` where one exists."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, PRIVATE_FILE_MODE))
        except FileExistsError:
            raise UsageError(
                "There is a project already.", f"{path} exists.", "Choose another name, or open that project."
            ) from None
        except OSError as error:
            raise StoreError(
                "The project cannot be made.",
                f"{path}: {error.strerror or error}.",
                "Check the permissions and the free space.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        # `mode=rw`: a database that was removed is an error, never silently made anew.
        driver = sqlite3.connect(
            f"{_address(self.path)}?mode=rw", uri=True, timeout=self._timeout_s, isolation_level=None
        )
        driver.row_factory = sqlite3.Row
        # SQLite's own `lower` knows the letters of English alone.
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
        # The journal's mode, other than all above, is written into the file.
        if used and driver.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(
                "This is not a project.", f"{self.path} belongs to another program.", "Name another folder."
            )
        if driver.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
            raise StoreError(
                "The project cannot be shared between processes here.",
                f"The file system under {self.path} does not support a write-ahead log.",
                "Keep projects on a local disk; --home chooses where.",
            )

    @property
    def driver(self) -> sqlite3.Connection:
        """The connection of the standard library, for the migrations."""
        return self._driver

    def close(self) -> None:
        """Close; leaves a short log behind where others stay connected. Closing twice is harmless."""
        if self._commits:
            self._checkpoint_unless_busy()
        self._commits = 0
        self._driver.close()

    def rows(self, sql: str, values: Values = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with explained(self.path):
            self._same_file()
            return self._execute(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def value(self, sql: str, values: Values = ()) -> Value:
        """The first column of the first row, or None."""
        found = self.row(sql, values)
        value: Value = None if found is None else found[0]
        return value

    def number(self, sql: str, values: Values = ()) -> int:
        """The first column of the first row as a whole number; 0 where there is none."""
        value = self.value(sql, values)
        return value if isinstance(value, int) else 0

    @property
    def version(self) -> tuple[int, int]:
        """Another value whenever anybody, this connection too, has written since it was asked before."""
        return self.number("PRAGMA data_version"), self._driver.total_changes

    def write(self, sql: str, values: Values = ()) -> int:
        """Run one writing statement, in its own transaction where none is open. Returns the rows it changed."""
        return self._write(sql, values).rowcount

    def insert(self, sql: str, values: Values = ()) -> int:
        """Run one INSERT, in its own transaction where none is open. Returns the new row's id."""
        return self._write(sql, values).lastrowid or 0

    def write_many(self, sql: str, rows: Iterable[Values]) -> int:
        """Run one writing statement for each of `rows`, all or none. Returns how many rows were changed."""
        kept = list(rows)
        try:
            with self.transaction(), _numbers_fit():
                return self._driver.executemany(sql, kept).rowcount
        except UnicodeEncodeError:
            with self.transaction(), _numbers_fit():
                return self._driver.executemany(sql, [_all_encodable(values) for values in kept]).rowcount

    def update(self, table: str, id: int, fields: Mapping[str, Value]) -> bool:
        """Change those `fields` of one row that are not None. Returns whether there is such a row."""
        changes = {name: value for name, value in fields.items() if value is not None}
        if not changes:
            return self.row(f"SELECT 1 FROM {table} WHERE id = ?", (id,)) is not None
        names = ", ".join(f"{name} = ?" for name in changes)
        return self.write(f"UPDATE {table} SET {names} WHERE id = ?", (*changes.values(), id)) > 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept whole or not at all; within another transaction it joins that one."""
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
                # Some errors, a full disk among them, have ended the transaction already.
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
        """All reads inside see the facts of one moment. Nothing may be written inside."""
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
        """Copy the log into the database, as said above. Raises `StoreError` where a writer is in the way."""
        with explained(self.path):
            self._driver.execute("BEGIN IMMEDIATE")
            try:
                with closing(self._connect()) as copier:
                    copier.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                self._driver.execute("ROLLBACK")

    def _checkpoint_unless_busy(self) -> None:
        # The facts are kept already. A writer in the way, or a disk just now full, only puts the copying off:
        # the next commit tries again.
        self._driver.execute("PRAGMA busy_timeout=0")
        with suppress(StoreError):
            self.checkpoint()
            self._commits = 0
        self._driver.execute(f"PRAGMA busy_timeout={round(self._timeout_s * 1000)}")

    def check(self) -> tuple[str, ...]:
        """What `integrity_check` and `foreign_key_check` find wrong; empty when all is well."""
        broken = [str(row[0]) for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        dangling = [f"{row['table']} row {row['rowid']} names a missing {row['parent']}"
                    for row in self.rows("PRAGMA foreign_key_check")]  # fmt: skip
        return (*broken, *dangling)

    def back_up(self, copy: Path) -> None:
        """Write a compact copy of the whole database to `copy`, mode 0600 and synced; one that is there is replaced."""
        beside = copy.with_name(f"{copy.name}.part")
        try:
            beside.unlink(missing_ok=True)
            self.create_file(beside)
            # By a connection of its own, so that it can be asked for while this one keeps other writers out.
            with explained(self.path), closing(self._connect()) as copier:
                copier.execute("VACUUM INTO ?", (_address(beside),)).close()
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(copy)
            sync_folder(copy.parent)
        except OSError as error:
            raise StoreError(
                "The project could not be backed up.",
                f"{copy}: {error.strerror or error}.",
                "Check the permissions and the free space; nothing was changed.",
            ) from error
        finally:
            with suppress(OSError):  # half a copy would fill a disk that is full
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
            raise RuntimeError("a snapshot is for reading: what is written in it would be lost")

    def _in_transaction(self) -> bool:
        return self._driver.in_transaction

    def _execute(self, sql: str, values: Values) -> sqlite3.Cursor:
        with _numbers_fit():
            try:
                return self._driver.execute(sql, values)
            except UnicodeEncodeError:
                return self._driver.execute(sql, _all_encodable(values))

    def _identity(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_dev, status.st_ino

    def _same_file(self) -> None:
        try:
            same = self._identity() == self._file
        except OSError:
            same = False
        if not same:
            raise StoreError(
                "The project is gone.",
                f"{self.path} was removed or replaced while it was open.",
                "Open the project again; nothing was written to the file that took its place.",
            )


@contextmanager
def _numbers_fit() -> Iterator[None]:
    try:
        yield
    except OverflowError as error:
        raise UsageError(
            "A number is too large.", "No project holds a number of more than 18 digits.", "Give a smaller one."
        ) from error


def _address(path: Path) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}"


def _all_encodable(values: Values) -> Values:
    # Halves of surrogate pairs, which JSON can smuggle in, have no UTF-8 form: the only text that is not stored raw.
    return [_encodable(value) for value in values]


def _encodable(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
