"""Releases: which runs were exported, and where to."""

from engine.records.release import Parity, Release, ReleaseKind
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, encode

_RELEASE = "id, kind, run_id, folder, sha256, created_at, parity"


class ReleaseTable:
    """The releases of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, kind: ReleaseKind, run_id: int, folder: str, sha256: str, parity: Parity | None = None) -> Release:
        """Record that a run was released. Raises `StoreError` for an unknown run."""
        created_at = now_text()
        number = self._connection.insert(
            "INSERT INTO releases (kind, run_id, folder, sha256, created_at, parity) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, run_id, folder, sha256, created_at, encode(parity) if parity is not None else ""),
        )
        return Release(number, kind, run_id, folder, sha256, created_at, parity)

    def all(self) -> tuple[Release, ...]:
        """Return all releases, oldest first."""
        rows = self._connection.rows(f"SELECT {_RELEASE} FROM releases ORDER BY id")
        return tuple(
            Release(number, kind, run_id, folder, sha256, created_at, decode(Parity, parity) if parity else None)
            for number, kind, run_id, folder, sha256, created_at, parity in rows
        )
