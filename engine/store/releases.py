"""Releases: which runs left the project, and where to."""

from engine.records.release import Release, ReleaseKind
from engine.store.clock import now_text
from engine.store.connection import Connection

_RELEASE = "id, kind, run_id, folder, sha256, created_at"


class ReleaseTable:
    """The releases of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, kind: ReleaseKind, run_id: int, folder: str, sha256: str) -> Release:
        """Keep that a run was released. Raises `StoreError` for an unknown run."""
        created_at = now_text()
        number = self._connection.insert(
            "INSERT INTO releases (kind, run_id, folder, sha256, created_at) VALUES (?, ?, ?, ?, ?)",
            (kind, run_id, folder, sha256, created_at),
        )
        return Release(number, kind, run_id, folder, sha256, created_at)

    def all(self) -> tuple[Release, ...]:
        """All releases, the oldest first."""
        return tuple(Release(*row) for row in self._connection.rows(f"SELECT {_RELEASE} FROM releases ORDER BY id"))
