"""The jobs of a project with their working time, and a job's log. Work for `StoreService.ask`."""

from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from engine.jobs.control_file import Asked, asked_of
from engine.jobs.printed import end_of_log
from engine.project import Project
from engine.records.job import LIVE_STATES, Job


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. `asked`: what it was asked to do and has not done yet."""

    job: Job
    seconds: float  # of work, over all its processes
    asked: Asked = ""


@dataclass
class JobsRead(Message):
    """All jobs were read: live ones first, then newest first."""

    rows: tuple[JobRow, ...]


@dataclass
class LogRead(Message):
    """The end of a job's log was read. The text is untrusted."""

    job_id: int
    text: str


def read_jobs(project: Project) -> JobsRead:
    """Read all jobs."""
    with project.snapshot():
        jobs = project.jobs.all()
        worked = {job.id: sum(work.seconds for work in project.jobs.work(job.id).values()) for job in jobs}
    rows = [JobRow(job, worked[job.id], asked_of(project.folder, job)) for job in jobs]
    return JobsRead(tuple(sorted(rows, key=lambda row: (row.job.state not in LIVE_STATES, -row.job.id))))


def log_reader(job: Job) -> Callable[[Project], LogRead]:
    """Work that reads the end of the job's log; empty if it printed nothing."""

    def read(project: Project) -> LogRead:
        return LogRead(job.id, end_of_log(project.folder / job.folder))

    return read
