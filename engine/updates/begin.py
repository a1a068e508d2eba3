"""Starts an update of a project in which no other job is live. Knows nothing of what an update does."""

from collections.abc import Callable

from engine.errors import UsageError
from engine.jobs.liveness import mark_lost_jobs
from engine.project import Project
from engine.records.job import Job
from engine.records.options import UpdateOptions


def begin_update(project: Project, options: UpdateOptions) -> Job:
    """Return the live update job, or start one. Raises UsageError if another job is live."""
    mark_lost_jobs(project)
    at_work = next((job for job in project.jobs.live() if job.kind == "update"), None)
    if at_work is not None:
        return at_work
    require_idle(project)
    return project.start_job(options)


def require_idle(project: Project, harmless: Callable[[Job], bool] = lambda _job: False) -> None:
    """Raise UsageError if a job is live that may change what an update reads. A server does not."""
    mark_lost_jobs(project)
    others = [job for job in project.jobs.live() if job.kind != "serve" and not harmless(job)]
    if others:
        raise UsageError(
            "Another job is active in this project.",
            f"Job {others[0].id} ({others[0].kind}) is {others[0].state}.",
            f"Wait until it ends, or stop it with `distill-tui jobs stop {others[0].id}`.",
        )
