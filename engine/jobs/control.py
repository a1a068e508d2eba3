"""What the user can do to a job: pause, resume, stop, keep. Requests go through its control file, force by signals.

Knows nothing of what a job does, or why it should end.
"""

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import JobError, UsageError
from engine.jobs.control_file import read_command, write_command
from engine.jobs.identity import ProcessIdentity, is_running
from engine.jobs.launch import launch
from engine.jobs.liveness import LOCK_FILE, is_alive, mark_lost_jobs, read_holder, write_end
from engine.jobs.protocol import Command
from engine.paths import make_private_folder
from engine.records.job import LIVE_STATES, TROUBLE, Job, JobState, resume_advice, resume_command
from engine.records.options import JobOptions

if TYPE_CHECKING:
    from engine.project import Project

_POLL_S = 0.05
_DIES_WITHIN_S = 5.0


def check_new(project: "Project", options: JobOptions) -> None:
    """Raise `UsageError` if a live job has the same options, so that pressing a key twice starts one job."""
    job = project.jobs.same(options)
    if job is None:
        return
    title, same = "A job is already doing this.", f"Job {job.id} ({job.kind}) has the same options and is"
    if read_command(project.folder / job.folder) == "stop":
        next_step = f"When it has stopped, resume it with {resume_command(job.id)}."
        raise UsageError(title, f"{same} already stopping.", next_step)
    ways = f"stop it with `distill-tui jobs stop {job.id}`."
    if job.state == "paused":
        raise UsageError(title, f"{same} paused.", f"Resume it with {resume_command(job.id)}, or {ways}")
    raise UsageError(title, f"{same} {job.state}.", f"Wait for it, or {ways}")


def pause(project: "Project", job: Job) -> Job:
    """Ask a live job to pause at its next checkpoint; its model stays in memory.

    Raises `JobError` if it is not live, or was asked to stop.
    """
    return _send(project, job, "pause")


def resume(project: "Project", job: Job) -> Job:
    """Continue a paused job; restart a stopped, failed or lost one from what it has stored.

    The same row, options and log are used. Raises `JobError` for a job that is done or about to stop.
    """
    job = _settled(project, job)
    folder = make_private_folder(project.folder / job.folder)
    if job.state == "done":
        raise JobError(f"Cannot resume job {job.id}.", "It is done.", "Start a new one.")
    if job.state in LIVE_STATES:
        if read_command(folder) == "stop":
            raise JobError(f"Cannot resume job {job.id} yet.", "It is about to stop.", "Try again soon.")
        write_command(folder, "run")
        return job
    write_command(folder, "run")
    launch(project.folder, job, project.home)
    return project.jobs.get(job.id)


def keep(project: "Project", job: Job) -> Job:
    """Ask a training job to finish its run now with its best checkpoint; later stages of the job still run.

    Raises `JobError` if it is not live, was asked to stop, or is not training at the moment.
    """
    job = _now(project, job)
    if job.state in LIVE_STATES and (job.stage != "run" or job.state == "waiting"):
        raise JobError(
            f"Job {job.id} is not training now.",
            f"It is {job.state} at the {job.stage} station.",
            f"Stop it with `distill-tui jobs stop {job.id}`.",
        )
    return _send(project, job, "keep")


def stop(project: "Project", job: Job, *, force: bool = False, grace_s: float = 30.0) -> Job:
    """Ask a live job to stop at its next checkpoint, and return at once; one that failed or was killed is stopped now.

    The latter only changes how it is listed: it no longer asks for attention.

    With `force`, wait `grace_s` for the checkpoint, then send SIGTERM, and five seconds later SIGKILL, to the job's
    whole process group; the job is then `stopped`. Anything not stored by then is lost. Raises `JobError` if the job is
    not live, or survives even that.
    """
    job = _now(project, job)
    if job.state in TROUBLE:
        return write_end(project, job, "stopped", job.note)
    job = _send(project, job, "stop")
    if not force or has_left(project, job, LIVE_STATES, grace_s):
        return project.jobs.get(job.id)
    for sent in (signal.SIGTERM, signal.SIGKILL):
        job = project.jobs.get(job.id)
        if is_alive(job):
            _signal(job.pid, sent)
        if has_left(project, job, LIVE_STATES, _DIES_WITHIN_S):
            break
    return _mark_killed(project, job)


def stop_all(project: "Project") -> None:
    """Stop every live job by force, and return when their processes have ended, so that their files can be removed.

    Nobody will resume them, so there is no grace period. Raises `JobError` if one survives.
    """
    mark_lost_jobs(project)
    for job in project.jobs.live():
        try:
            stop(project, job, force=True, grace_s=0.0)
        except JobError:
            if project.jobs.get(job.id).state in LIVE_STATES:  # otherwise it has just ended by itself
                raise
        # A job that has written its end has a process for a moment longer, which writes to the job's folder.
        job = project.jobs.get(job.id)
        _kill(job.id, ProcessIdentity(job.pid, job.pid_started_at, job.boot_id), _DIES_WITHIN_S)


def kill_all(folder: Path) -> None:
    """Like `stop_all`, for a project in `folder` whose store cannot be read: finds the processes by the jobs' locks."""
    for path in sorted(folder.glob(f"jobs/*/{LOCK_FILE}")):
        if (holder := read_holder(path)) is not None:
            _kill(path.parent.name, holder, 0.0)


def _kill(job: int | str, process: ProcessIdentity, grace_s: float) -> None:
    """Return when the process has ended; kill it after `grace_s`. Raises `JobError` if it survives that."""
    patient_until = time.monotonic() + grace_s
    while is_running(process):
        now = time.monotonic()
        if now > patient_until + _DIES_WITHIN_S:
            raise _endless(job, process.pid)
        if now >= patient_until:
            _signal(process.pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def _endless(job: int | str, pid: int) -> JobError:
    return JobError(f"Job {job} does not end.", f"Its process {pid} is still there after SIGKILL.", "Try again soon.")


def _signal(pid: int, sent: signal.Signals) -> None:
    # A worker leads its own process group, so its helpers end with it.
    with suppress(ProcessLookupError):
        os.killpg(pid, sent)


def _send(project: "Project", job: Job, command: Command) -> Job:
    job = _now(project, job)
    if job.state not in LIVE_STATES:
        raise JobError(
            f"Job {job.id} is not running.",
            f"It {job.state_text}.",
            "" if job.state == "done" else resume_advice(job.id),
        )
    folder = make_private_folder(project.folder / job.folder)
    if command != "stop" and read_command(folder) == "stop":  # this request would replace that one
        raise JobError(
            f"Job {job.id} is already stopping.",
            "It was asked to stop.",
            f"When it has stopped, resume it with {resume_command(job.id)}.",
        )
    write_command(folder, command)
    return job


def _now(project: "Project", job: Job) -> Job:
    """Return the job as it is now, after marking jobs whose process is gone."""
    mark_lost_jobs(project)
    return project.jobs.get(job.id)


def _settled(project: "Project", job: Job) -> Job:
    """Like `_now`, but wait until a process that was just killed has released its lock, and can be marked lost."""
    deadline = time.monotonic() + _DIES_WITHIN_S
    job = _now(project, job)
    while job.state in LIVE_STATES and job.pid and not is_alive(job) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        job = _now(project, job)
    return job


def has_left(project: "Project", job: Job, states: Collection[JobState], within_s: float) -> bool:
    """Wait until the job has left these states, or its process has ended; return whether it did in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        now = project.jobs.get(job.id)
        if now.state not in states or (now.pid and not is_alive(now)):
            return True
        time.sleep(_POLL_S)
    return False


def _mark_killed(project: "Project", job: Job) -> Job:
    job = project.jobs.get(job.id)
    if job.state in LIVE_STATES and is_alive(job):
        raise _endless(job.id, job.pid)
    # A follower may have found it dead first and marked it lost; here the reason is known.
    if job.state not in (*LIVE_STATES, "lost"):
        return job
    return write_end(project, job, "stopped", f"Stopped by force. {resume_advice(job.id)}")
