"""The state of the jobs screen: the jobs as last read, the cursor, the shown log. Pure Python."""

from dataclasses import dataclass, replace

from engine.records.job import LIVE_STATES, Job
from tui.services.jobs import JobRow
from tui.widgets.rows import within


@dataclass(slots=True)
class JobsState:
    """The cursor stays on its job, wherever that moves."""

    rows: tuple[JobRow, ...] | None = None  # None: not read yet
    cursor: int = 0
    read_at: float = 0.0  # in seconds, by the reader's clock
    log: str | None = None  # of the job under the cursor, while it is shown

    @property
    def row(self) -> JobRow | None:
        """The job under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    @property
    def at_work(self) -> list[Job]:
        """The live jobs."""
        return [row.job for row in self.rows or () if row.job.state in LIVE_STATES]

    def take(self, rows: tuple[JobRow, ...], now: float) -> bool:
        """Store what was read. Returns whether anything changed.

        A job saves its working time only along with other facts; until then the time is advanced here.
        """
        passed, self.read_at = now - self.read_at, now
        worked = {row.job.id: row.seconds + passed for row in self.rows or () if row.job.state == "running"}
        rows = tuple(
            replace(row, seconds=max(row.seconds, worked.get(row.job.id, 0.0))) if row.job.state == "running" else row
            for row in rows
        )
        if rows == self.rows:
            return False
        here = self.row.job.id if self.row is not None else 0
        self.rows = rows
        self.cursor = next((at for at, row in enumerate(rows) if row.job.id == here), min(self.cursor, len(rows) - 1))
        self.cursor = max(self.cursor, 0)
        return True

    def move(self, steps: int) -> None:
        """Move the cursor within the list."""
        self.cursor = within(self.cursor + steps, len(self.rows or ()))
