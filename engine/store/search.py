"""Full-text search over columns of one table, and what a person typed as a query of it.

The index is kept up by statements, not by triggers: before SQLite 3.44 a trigger may not write to a full-text table
of a database whose schema is not trusted, and no project's schema is, since projects are passed on as files.
"""

from engine.store.connection import Connection, Values


class SearchIndex:
    """The index `TABLE_fts` over `columns` of `table`. Its callers hold a transaction."""

    def __init__(self, connection: Connection, table: str, columns: tuple[str, ...]) -> None:
        self._connection = connection
        self._table = table
        self._columns = ", ".join(columns)

    def learn(self, where: str, values: Values) -> None:
        """Index the rows that meet `where` and are not indexed yet."""
        self._connection.write(
            f"INSERT INTO {self._table}_fts (rowid, {self._columns}) "
            f"SELECT id, {self._columns} FROM {self._table} WHERE {where}",
            values,
        )

    def forget(self, where: str, values: Values) -> None:
        """Take the rows that meet `where` out of the index, while they still read as they were indexed."""
        self._connection.write(
            f"INSERT INTO {self._table}_fts ({self._table}_fts, rowid, {self._columns}) "
            f"SELECT 'delete', id, {self._columns} FROM {self._table} WHERE {where}",
            values,
        )

    def compact(self) -> None:
        """Write the index anew, so that words that were taken out are in it no more."""
        self._connection.write(f"INSERT INTO {self._table}_fts ({self._table}_fts) VALUES ('optimize')")


def question_index(connection: Connection) -> SearchIndex:
    """Over the last message of questions."""
    return SearchIndex(connection, "questions", ("text",))


def example_index(connection: Connection) -> SearchIndex:
    """Over the answers of examples, as given and as edited."""
    return SearchIndex(connection, "examples", ("answer", "edited_answer"))


def match_query(typed: str) -> str:
    """An FTS5 query for rows that hold every word of `typed`, the last as a beginning; empty where nothing is asked.

    Every word is quoted, so no operator of the query language has a meaning in it.
    """
    words = [word.replace('"', '""') for word in typed.replace("\0", " ").split()]
    return " ".join(f'"{word}"' for word in words) + ("*" if words else "")
