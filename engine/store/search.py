"""Full-text search over columns of one table, and conversion of typed text into a query.

The index is updated by statements, not triggers: before SQLite 3.44, triggers cannot write to a full-text table if the
schema is untrusted, and project schemas are untrusted, because projects are passed on as files.
"""

from engine.store.connection import Connection
from engine.store.values import Values


class SearchIndex:
    """The index `TABLE_fts` over `columns` of `table`. Callers must be in a transaction."""

    def __init__(self, connection: Connection, table: str, columns: tuple[str, ...]) -> None:
        self._connection = connection
        self._table = table
        self._columns = ", ".join(columns)

    def learn(self, where: str, values: Values) -> None:
        """Index the rows that match `where`. They must not be indexed yet."""
        self._connection.write(
            f"INSERT INTO {self._table}_fts (rowid, {self._columns}) "
            f"SELECT id, {self._columns} FROM {self._table} WHERE {where}",
            values,
        )

    def forget(self, where: str, values: Values) -> None:
        """Remove the rows that match `where` from the index. They must still have their indexed text."""
        self._connection.write(
            f"INSERT INTO {self._table}_fts ({self._table}_fts, rowid, {self._columns}) "
            f"SELECT 'delete', id, {self._columns} FROM {self._table} WHERE {where}",
            values,
        )

    def compact(self) -> None:
        """Rebuild the index, so that it no longer contains removed words."""
        self._connection.write(f"INSERT INTO {self._table}_fts ({self._table}_fts) VALUES ('optimize')")


def question_index(connection: Connection) -> SearchIndex:
    """Return the index over the last message of questions."""
    return SearchIndex(connection, "questions", ("text",))


def example_index(connection: Connection) -> SearchIndex:
    """Return the index over the original and edited answers of examples."""
    return SearchIndex(connection, "examples", ("answer", "edited_answer"))


def match_query(typed: str) -> str:
    """Return an FTS5 query for rows that contain every word of `typed`, the last one as a prefix; empty without words.

    Words are quoted, so that operators of the query language have no effect.
    """
    words = [word.replace('"', '""') for word in typed.replace("\0", " ").split()]
    return " ".join(f'"{word}"' for word in words) + ("*" if words else "")
