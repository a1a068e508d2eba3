"""The jobs of a project with how long each has worked, and what one printed. Pieces of work for `StoreService.ask`."""

from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from engine.jobs.printed import end_of_log
from engine.jobs.wishes import read_wish
from engine.project import Project
from engine.records.job import LIVE_STATES, Job


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. `ending`, `pausing`: it was asked to stop, to pause, and has not yet."""

    job: Job
    seconds: float  # of work, over all its processes
    ending: bool = False
    pausing: bool = False


@dataclass
class JobsRead(Message):
    """All jobs were read: what lives first, then the newest."""

    rows: tuple[JobRow, ...]


@dataclass
class LogRead(Message):
    """The end of what a job printed was read. The text is foreign."""

    job_id: int
    text: str


def read_jobs(project: Project) -> JobsRead:
    """All jobs."""
    with project.snapshot():
        jobs = project.jobs.all()
        worked = {job.id: sum(work.seconds for work in project.jobs.work(job.id).values()) for job in jobs}
    wishes = {job.id: read_wish(project.folder / job.folder) for job in jobs if job.state in LIVE_STATES}
    rows = [
        JobRow(
            job,
            worked[job.id],
            ending=wishes.get(job.id) == "stop",
            pausing=wishes.get(job.id) == "pause" and job.state != "paused",
        )
        for job in jobs
    ]
    return JobsRead(tuple(sorted(rows, key=lambda row: (row.job.state not in LIVE_STATES, -row.job.id))))


def log_reader(job: Job) -> Callable[[Project], LogRead]:
    """Work that reads the end of what the job printed; nothing where it printed nothing."""

    def read(project: Project) -> LogRead:
        return LogRead(job.id, end_of_log(project.folder / job.folder))

    return read
