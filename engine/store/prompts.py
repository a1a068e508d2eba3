"""Prompt versions: counted from 1, unique by content, one of them current."""

import sqlite3

from engine.errors import NotFoundError, UsageError
from engine.records.prompt import Message, Prompt, PromptVersion, messages_to_json
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode_all


class PromptTable:
    """The prompt versions of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set(self, prompt: Prompt, note: str = "") -> PromptVersion:
        """Make `prompt` the current version: a new version, or an existing one with the same content."""
        with self._connection.transaction():
            self._connection.write("UPDATE prompts SET current = 0 WHERE current")
            self._connection.write(
                """INSERT INTO prompts (version, sha256, messages, note, current, created_at)
                VALUES ((SELECT coalesce(max(version), 0) + 1 FROM prompts), ?, ?, ?, 1, ?)
                ON CONFLICT (sha256) DO UPDATE SET
                    current = 1, note = CASE excluded.note WHEN '' THEN note ELSE excluded.note END""",
                (prompt.sha256, messages_to_json(prompt.messages), note, now_text()),
            )
            (row,) = self._connection.rows("SELECT * FROM prompts WHERE current")
        return _version(row)

    def current(self) -> PromptVersion | None:
        """Return the current version, or None if there is none."""
        row = self._connection.row("SELECT * FROM prompts WHERE current")
        return None if row is None else _version(row)

    def require(self) -> Prompt:
        """Return the current prompt. Raises `UsageError` if there is none."""
        return self.require_version().prompt

    def require_version(self) -> PromptVersion:
        """Return the current version. Raises `UsageError` if there is none."""
        version = self.current()
        if version is None:
            raise UsageError("There is no prompt.", "Every station needs one.", "Set one: distill-tui prompt set FILE")
        return version

    def versions(self) -> tuple[PromptVersion, ...]:
        """Return all versions, oldest first."""
        return tuple(map(_version, self._connection.rows("SELECT * FROM prompts ORDER BY version")))

    def count(self) -> int:
        """Return the number of versions."""
        return self._connection.number("SELECT count(*) FROM prompts")

    def by_sha256(self, sha256: str) -> Prompt:
        """Return the prompt with this hash. Raises `NotFoundError`."""
        row = self._connection.row("SELECT * FROM prompts WHERE sha256 = ?", (sha256,))
        if row is None:
            raise NotFoundError(f"There is no prompt with the hash {sha256}.", "", _LIST)
        return _version(row).prompt

    def by_version(self, version: int) -> PromptVersion:
        """Return the version with this number. Raises `NotFoundError`."""
        row = self._connection.row("SELECT * FROM prompts WHERE version = ?", (version,))
        if row is None:
            raise NotFoundError(f"The prompt has no version {version}.", "", _LIST)
        return _version(row)


_LIST = "`distill-tui prompt versions` lists them."


def _version(row: sqlite3.Row) -> PromptVersion:
    return PromptVersion(
        version=row["version"],
        prompt=Prompt(decode_all(Message, row["messages"])),
        note=row["note"],
        created_at=row["created_at"],
        current=bool(row["current"]),
    )
