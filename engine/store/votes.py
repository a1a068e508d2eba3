"""Votes: which of two arms' answers a person preferred."""

import sqlite3
from dataclasses import replace

from engine.records.vote import Vote
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, encode


class VoteTable:
    """The votes of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, vote: Vote) -> Vote:
        """Store a vote; returns it with its id and time."""
        vote = replace(vote, created_at=now_text())
        number = self._connection.insert(
            "INSERT INTO votes (left_arm, right_arm, vote) VALUES (?, ?, ?)", (vote.left, vote.right, encode(vote))
        )
        return replace(vote, id=number)

    def remove(self, id: int) -> bool:
        """Delete one vote. Returns whether it existed."""
        return self._connection.write("DELETE FROM votes WHERE id = ?", (id,)) > 0

    def remove_of_run(self, run_id: int) -> int:
        """Delete the votes on a run's arms at any strength. Returns how many there were."""
        name, more = f"run-{run_id}", f"run-{run_id}[@+]*"
        return self._connection.write(
            "DELETE FROM votes WHERE left_arm = ? OR left_arm GLOB ? OR right_arm = ? OR right_arm GLOB ?",
            (name, more, name, more),
        )

    def all(self) -> tuple[Vote, ...]:
        """Return all votes, oldest first."""
        return tuple(_vote(row) for row in self._connection.rows("SELECT id, vote FROM votes ORDER BY id"))

    def between(self, first: str, second: str) -> tuple[Vote, ...]:
        """Return the votes on these two arms, on either side, oldest first."""
        rows = self._connection.rows(
            "SELECT id, vote FROM votes WHERE (left_arm = ? AND right_arm = ?) OR (left_arm = ? AND right_arm = ?)"
            " ORDER BY id",
            (first, second, second, first),
        )
        return tuple(_vote(row) for row in rows)


def _vote(row: sqlite3.Row) -> Vote:
    return replace(decode(Vote, row["vote"]), id=row["id"])
