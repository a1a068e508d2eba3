"""Which jobs still have their process; those that lost it are marked as lost.

Two proofs: the process itself (pid, start time, boot) and the job's lock, which its worker holds for all its life and
which the kernel releases when it dies.
"""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from engine.jobs.identity import ProcessIdentity, is_running
from engine.jobs.locks import FileLock
from engine.jobs.log import EventLog
from engine.jobs.protocol import StateChanged
from engine.paths import make_private_folder
from engine.records.job import LIVE_STATES, Job, resume_advice
from engine.records.run import FORCED, KILLED
from engine.store.clock import now_text

if TYPE_CHECKING:
    from engine.store.jobs import JobTable
    from engine.store.runs import RunTable

LOCK_FILE = "lock"
_AT_WORK = ("running", "paused")  # of a job, and of the run that it trains
# An interpreter has to start between the row of a new job and its worker's lock.
_STARTS_WITHIN_S = 90.0


class HasJobs(Protocol):
    """What this module needs of a project. It cannot import `Project`, which starts its jobs through this package."""

    jobs: "JobTable"
    runs: "RunTable"
    folder: Path

    def transaction(self) -> AbstractContextManager[None]:
        """Write everything inside, or nothing."""


def write_holder(lock: FileLock, holder: ProcessIdentity) -> None:
    """Write into a job's lock which process holds it, for readers of a project whose store cannot be read."""
    lock.write(f"{holder.pid} {holder.started_at} {holder.boot_id}\n")


def read_holder(lock: Path) -> ProcessIdentity | None:
    """Return the process that holds a job's lock, or held it last; None if that cannot be read."""
    try:
        pid, started_at, boot = lock.read_text().split()
        return ProcessIdentity(int(pid), float(started_at), boot)
    except (OSError, ValueError):
        return None


def is_alive(job: Job) -> bool:
    """Whether exactly the process that carries out `job` is still running."""
    return is_running(ProcessIdentity(job.pid, job.pid_started_at, job.boot_id))


def is_at_work(job: Job) -> bool:
    """Whether `job` has a process, or may be about to get one. Asks only the kernel, and marks nothing."""
    return is_alive(job) or _may_be_starting(job)


def mark_lost_jobs(project: HasJobs) -> tuple[Job, ...]:
    """Mark every live job whose process is gone as `lost`, and return those.

    Safe while workers start or end, and while other readers do the same.
    """
    return tuple(lost for job in project.jobs.live() if (lost := _mark_if_lost(project, job)) is not None)


def _mark_if_lost(project: HasJobs, job: Job) -> Job | None:
    if is_at_work(job):
        return None
    folder = make_private_folder(project.folder / job.folder)
    lock = FileLock.take(folder / LOCK_FILE)
    if lock is None:
        return None
    with lock:
        # Under the lock no worker can start; what was read before may be stale.
        job = project.jobs.get(job.id)
        if job.state not in LIVE_STATES:
            return None
        note = f"Its process was killed or the machine was restarted. {resume_advice(job.id)}"
        return write_end(project, job, "lost", note)


def write_end(project: HasJobs, job: Job, state: Literal["lost", "stopped"], note: str) -> Job:
    """Write what a job whose process is gone could not write itself: its end, and the end and time of the run it
    trained.
    """
    reason = KILLED if state == "lost" else FORCED
    with project.transaction():
        project.jobs.update(job.id, state=state, note=note, ended_at=now_text())
        for run_id, its_jobs in project.runs.trained_by().items():
            still_running = any(project.jobs.get(each).state in _AT_WORK for each in its_jobs)
            if job.id in its_jobs and not still_running and project.runs.get(run_id).state in _AT_WORK:
                train_s = max(project.runs.get(run_id).train_s, project.runs.worked_s(run_id))
                project.runs.update(run_id, state="stopped", reason=reason, train_s=train_s)
    with EventLog(project.folder / job.folder) as log:
        log.append(StateChanged(state, note))
    return project.jobs.get(job.id)


def _may_be_starting(job: Job) -> bool:
    if job.pid or not job.created_at:
        return False
    created_at = datetime.fromisoformat(job.created_at)
    if created_at.tzinfo is None:
        created_at = created_at.replace(tzinfo=UTC)
    return abs((datetime.now(UTC) - created_at).total_seconds()) < _STARTS_WITHIN_S
