"""Begins an update of a project in which nothing else is at work. Knows nothing of what an update does."""

from collections.abc import Callable

from engine.errors import UsageError
from engine.jobs.liveness import reap
from engine.project import Project
from engine.records.job import Job
from engine.records.options import UpdateOptions


def begin_update(project: Project, options: UpdateOptions) -> Job:
    """The job of the update that is at work, else a new one. Raises UsageError where another job is at work."""
    reap(project)
    at_work = next((job for job in project.jobs.live() if job.kind == "update"), None)
    if at_work is not None:
        return at_work
    require_idle(project)
    return project.start_job(options)


def require_idle(project: Project, harmless: Callable[[Job], bool] = lambda _job: False) -> None:
    """Raises UsageError where a job is at work that may change what an update reads; a server does not."""
    reap(project)
    others = [job for job in project.jobs.live() if job.kind != "serve" and not harmless(job)]
    if others:
        raise UsageError(
            "Something is at work in this project.",
            f"Job {others[0].id} ({others[0].kind}).",
            "Update when it has ended, or stop it.",
        )
