"""Judges' replies by request, so that nothing is asked twice."""

from collections.abc import Sequence

from engine.store.connection import Connection

JudgeVerdict = tuple[str, str]  # (verdict in one word, reason)


class JudgementTable:
    """The judgements of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, judge: str, found: Sequence[tuple[str, JudgeVerdict]]) -> None:
        """Store the replies of `judge` by the request's hash. Earlier replies stay unchanged."""
        self._connection.write_many(
            """INSERT INTO judgements (judge, request_sha256, said, reason) VALUES (?, ?, ?, ?)
            ON CONFLICT DO NOTHING""",
            [(judge, sha256, *verdict) for sha256, verdict in found],
        )

    def of(self, judge: str) -> dict[str, JudgeVerdict]:
        """Return all replies of `judge`, by the request's hash."""
        rows = self._connection.rows("SELECT request_sha256, said, reason FROM judgements WHERE judge = ?", (judge,))
        return {row[0]: (row[1], row[2]) for row in rows}
