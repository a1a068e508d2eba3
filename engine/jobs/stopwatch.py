"""How long a job works at each station, over all its processes: it goes on from what the store keeps of earlier ones.

Waiting and paused time is no work. What a killed process did since its time was last kept is lost with it. Knows
nothing of what the work is.
"""

import time
from dataclasses import replace

from engine.records.job import Job, Work
from engine.records.station import StationName
from engine.store.jobs import JobTable


class Stopwatch:
    """Of one process of one job: runs from the beginning on, at the station where the job stands."""

    def __init__(self, table: JobTable, job: Job) -> None:
        self._table, self._job_id = table, job.id
        self._station = job.stage
        self._earlier = {station: work.seconds for station, work in table.work(job.id).items()}
        self._since: float | None = time.monotonic()  # None while it stands

    @property
    def station(self) -> StationName:
        """Where the job stands."""
        return self._station

    @property
    def seconds(self) -> float:
        """At the present station."""
        here = 0.0 if self._since is None else time.monotonic() - self._since
        return self._earlier.get(self._station, 0.0) + here

    def read(self) -> Work:
        """The work at the present station: the time as it is now, the rest as it is stored."""
        return replace(self._table.work(self._job_id).get(self._station, Work()), seconds=self.seconds)

    def turn(self, *, running: bool) -> None:
        """Let it run on, or stand."""
        self._earlier[self._station] = self.seconds
        self._since = time.monotonic() if running else None

    def move(self, station: StationName) -> None:
        """What follows is work at another station. The time at this one is kept."""
        self.turn(running=self._since is not None)
        self.keep()
        self._station = station

    def keep(self, answers: int = 0, cost_usd: float = 0.0) -> None:
        """Write the time at the present station, and that there are `answers` more, and so much more was paid.

        Raises `StoreError`.
        """
        self._table.keep_work(self._job_id, self._station, self.seconds, answers, cost_usd)
