"""Results of public tasks, per run."""

from dataclasses import replace

from engine.records.harness import HarnessResult
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, encode


class HarnessTable:
    """The results of public tasks of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, result: HarnessResult) -> HarnessResult:
        """Store a result; returns it with its id and time. Raises `StoreError` for an unknown run."""
        dated = replace(result, created_at=result.created_at or now_text())
        number = self._connection.insert(
            "INSERT INTO harness_results (run_id, created_at, result) VALUES (?, ?, ?)",
            (dated.run_id, dated.created_at, encode(dated)),
        )
        return replace(dated, id=number)

    def standing(self, run_id: int) -> tuple[HarnessResult, ...]:
        """Return a run's results that no later one replaces, oldest first."""
        rows = self._connection.rows("SELECT id, result FROM harness_results WHERE run_id = ? ORDER BY id", (run_id,))
        results = [replace(decode(HarnessResult, row["result"]), id=row["id"]) for row in rows]
        newest = {result.settings: result for result in results}
        return tuple(result for result in results if newest[result.settings] is result)
