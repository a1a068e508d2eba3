"""Jobs as stored: their options, their state, and the process that they last ran in."""

import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from typing import TypedDict, TypeVar, Unpack, cast

from engine.errors import NotFoundError
from engine.records.job import LIVE_STATES, Job, JobState, Work
from engine.records.options import OPTIONS_OF_KIND, JobOptions, JobOptionsBase
from engine.records.station import StationName
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, encode, inner_folder
from engine.store.values import Value

Options = TypeVar("Options", bound=JobOptionsBase)
_JOB = ", ".join(field.name for field in fields(Job))


class JobChanges(TypedDict, total=False):
    """The fields of a job that change while it is worked on."""

    state: JobState
    stage: StationName
    pid: int
    pid_started_at: float
    boot_id: str
    done: int
    total: int
    note: str
    started_at: str
    ended_at: str | None


class JobTable:
    """The jobs of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, options: JobOptions) -> Job:
        """Add a waiting job, with the folder `jobs/ID`."""
        with self._connection.transaction():
            number = self._connection.insert(
                "INSERT INTO jobs (kind, state, options, folder, stage, created_at) VALUES (?, 'waiting', ?, '', ?, ?)",
                (options.kind, encode(options), options.station, now_text()),
            )
            self._connection.write("UPDATE jobs SET folder = ? WHERE id = ?", (f"jobs/{number}", number))
            return self.get(number)

    def get(self, id: int) -> Job:
        """Return one job. Raises `NotFoundError`."""
        row = self._connection.row(f"SELECT {_JOB} FROM jobs WHERE id = ?", (id,))
        if row is None:
            raise _not_there(id)
        return _job(row)

    def all(self) -> tuple[Job, ...]:
        """Return all jobs, oldest first."""
        return tuple(_job(row) for row in self._connection.rows(f"SELECT {_JOB} FROM jobs ORDER BY id"))

    def live(self) -> tuple[Job, ...]:
        """Return the jobs whose stored state is live. `engine.jobs` checks whether their processes are."""
        marks = ", ".join("?" * len(LIVE_STATES))
        rows = self._connection.rows(f"SELECT {_JOB} FROM jobs WHERE state IN ({marks}) ORDER BY id", LIVE_STATES)
        return tuple(_job(row) for row in rows)

    def of_kind(self, kind: type[Options]) -> Iterator[tuple[Job, Options]]:
        """Iterate over the jobs of this kind, newest first, with their options."""
        rows = self._connection.rows(f"SELECT {_JOB} FROM jobs WHERE kind = ? ORDER BY id DESC", (kind.kind,))
        return ((job, decode(kind, job.options)) for job in map(_job, rows))

    def same(self, options: JobOptions) -> Job | None:
        """Return a live job with the same options, or None."""
        asked = encode(options)
        return next((job for job in self.live() if (job.kind, job.options) == (options.kind, asked)), None)

    def newest(self) -> Job | None:
        """Return the newest job, or None. A server is none: it runs beside whatever else is done."""
        row = self._connection.row(f"SELECT {_JOB} FROM jobs WHERE kind <> 'serve' ORDER BY id DESC LIMIT 1")
        return _job(row) if row is not None else None

    def latest(self, stage: StationName, *, begun: bool = False) -> Job | None:
        """Return the newest job that makes what this station holds and whose current or last station it is, or None.

        With `begun`, only one that knows how much it has to do.
        """
        makers = [kind for kind, options in OPTIONS_OF_KIND.items() if options.produces_output]
        marks = ", ".join("?" * len(makers))
        row = self._connection.row(
            f"""SELECT {_JOB} FROM jobs WHERE stage = ? AND kind IN ({marks}) {"AND total > 0" if begun else ""}
            ORDER BY id DESC LIMIT 1""",
            (stage, *makers),
        )
        return None if row is None else _job(row)

    def update(self, id: int, **changes: Unpack[JobChanges]) -> None:
        """Set the given fields; `ended_at` None leaves it unchanged. Raises `NotFoundError`."""
        if not self._connection.update("jobs", id, cast("dict[str, Value]", changes)):
            raise _not_there(id)

    def work(self, id: int) -> dict[StationName, Work]:
        """Return what a job has done so far, by station."""
        rows = self._connection.rows("SELECT station, seconds, answers, cost_usd FROM job_work WHERE job_id = ?", (id,))
        return {row[0]: Work(row[1], row[2], row[3]) for row in rows}

    def worked_s(self, station: StationName) -> float:
        """Return how many seconds all jobs have worked at this station."""
        found = self._connection.value("SELECT total(seconds) FROM job_work WHERE station = ?", (station,))
        return found if isinstance(found, float) else 0.0

    def write_work(
        self, id: int, station: StationName, seconds: float, more_answers: int, more_usd: float = 0.0
    ) -> None:
        """Store a job's total seconds at a station, and add its answers and cost since the last call."""
        self._connection.write(
            "INSERT INTO job_work (job_id, station, seconds, answers, cost_usd) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (job_id, station) DO UPDATE SET seconds = excluded.seconds, "
            "answers = answers + excluded.answers, cost_usd = cost_usd + excluded.cost_usd",
            (id, station, seconds, more_answers, more_usd),
        )


def options_of_job(job: Job) -> JobOptions:
    """Return a job's options. Raises `StoreError` if they do not fit its kind."""
    return decode(OPTIONS_OF_KIND[job.kind], job.options)


def _job(row: sqlite3.Row) -> Job:
    inner_folder(row["folder"])
    return Job(*row)


def _not_there(id: int) -> NotFoundError:
    return NotFoundError(f"There is no job {id}.", "", "See `distill-tui jobs list`.")
