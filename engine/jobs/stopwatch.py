"""How long a job works at each station, across all its processes: it continues from the stored time of earlier ones.

Time spent waiting or paused does not count. The time of a killed process since it was last stored is lost. Knows
nothing of what the work is.
"""

import time
from dataclasses import replace

from engine.records.job import Job, Work
from engine.records.station import StationName
from engine.store.jobs import JobTable


class Stopwatch:
    """Times one process of one job; runs from the start, at the job's current station."""

    def __init__(self, table: JobTable, job: Job) -> None:
        self._table, self._job_id = table, job.id
        self._station = job.stage
        self._earlier = {station: work.seconds for station, work in table.work(job.id).items()}
        self._since: float | None = time.monotonic()  # None while it is stopped

    @property
    def station(self) -> StationName:
        """The job's current station."""
        return self._station

    @property
    def seconds(self) -> float:
        """Seconds worked at the current station."""
        here = 0.0 if self._since is None else time.monotonic() - self._since
        return self._earlier.get(self._station, 0.0) + here

    def read(self) -> Work:
        """Return the work at the current station: the time as of now, the rest as stored."""
        return replace(self._table.work(self._job_id).get(self._station, Work()), seconds=self.seconds)

    def turn(self, *, running: bool) -> None:
        """Start or stop the stopwatch."""
        self._earlier[self._station] = self.seconds
        self._since = time.monotonic() if running else None

    def move(self, station: StationName) -> None:
        """Store the time at the current station, and continue at another one."""
        self.turn(running=self._since is not None)
        self.keep()
        self._station = station

    def keep(self, answers: int = 0, cost_usd: float = 0.0) -> None:
        """Store the time at the current station, and add `answers` and their cost.

        Raises `StoreError`.
        """
        self._table.write_work(self._job_id, self._station, self.seconds, answers, cost_usd)
