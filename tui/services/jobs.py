"""The jobs of a project with their working time, and a job's log. Work for `StoreService.ask`."""

from dataclasses import dataclass

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


def read_jobs(project: Project) -> tuple[JobRow, ...]:
    """Read all jobs: live ones first, then newest first."""
    with project.snapshot():
        jobs = project.jobs.all()
        worked = {job.id: sum(work.seconds for work in project.jobs.work(job.id).values()) for job in jobs}
    rows = [JobRow(job, worked[job.id], asked_of(project.folder, job)) for job in jobs]
    return tuple(sorted(rows, key=lambda row: (row.job.state not in LIVE_STATES, -row.job.id)))


def read_log(project: Project, job: Job) -> str:
    """Read the end of the job's log, which is untrusted; empty if it printed nothing."""
    return end_of_log(project.folder / job.folder)
