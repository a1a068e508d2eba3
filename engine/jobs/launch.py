"""Starts the process that carries out a job, in its own session and detached from the terminal."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from engine.errors import JobError
from engine.jobs.identity import ProcessIdentity
from engine.jobs.liveness import LOCK_FILE
from engine.jobs.log import EventLog
from engine.jobs.logind import plan_survival
from engine.jobs.protocol import Note
from engine.paths import PRIVATE_FILE_MODE, Home, make_private_folder
from engine.records.job import Job
from engine.redact import redact

LOG_FILE = "log.txt"
WORKER_MODULE = "engine.jobs.worker"
ALREADY_RUNNING_STATUS = 75
_STARTS_WITHIN_S = 60.0
_SHOWN_OF_LOG_BYTES = 2000


def launch(project: Path, job: Job, home: Home) -> Job:
    """Start the worker of `job`, and return the job with its process once the worker is registered in the store.

    The worker is not a child of this process: it survives this process and its terminal, and leaves no zombie. Its
    output goes to `log.txt` in the job's folder. Takes about as long as an interpreter needs to start and open the
    project. Raises `JobError` if it cannot be started or another process is carrying out this job.
    """
    folder = make_private_folder(project / job.folder)
    survival = plan_survival()
    if survival.note:
        with EventLog(folder) as events:
            events.append(Note(survival.note))
    # -P keeps Python from importing files in the project's folder.
    worker = [sys.executable, "-P", "-m", WORKER_MODULE, str(project.absolute()), str(job.id)]
    if home.root is not None:
        worker += ["--home", str(home.root)]
    log = os.open(folder / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
    try:
        before = os.fstat(log).st_size
        status = _start([*survival.prefix, *worker], project, log)
    finally:
        os.close(log)
    if status == ALREADY_RUNNING_STATUS:
        raise JobError(f"Job {job.id} is already running.", "Another process is carrying it out.", "Follow it instead.")
    if status != 0:
        raise JobError(f"Job {job.id} could not be started.", _new_in_log(folder / LOG_FILE, before), "")
    holder = read_holder(folder / LOCK_FILE)
    if holder is None:
        raise JobError(f"Job {job.id} could not be started.", "Its process did not write its id.", "Start it again.")
    return replace(
        job,
        state="waiting",
        note="",
        pid=holder.pid,
        pid_started_at=holder.started_at,
        boot_id=holder.boot_id,
    )


def _start(command: list[str], project: Path, log: int) -> int:
    """Run the first of the worker's two processes, which ends as soon as the second has started its work."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=project,
            start_new_session=True,
            timeout=_STARTS_WITHIN_S,
            check=False,
        ).returncode
    except OSError as error:
        raise JobError(
            "The job's process could not be started.", f"{error.filename or command[0]}: {error.strerror}.", ""
        ) from error
    except subprocess.TimeoutExpired as error:
        raise JobError(
            "The job's process did not start in time.",
            f"It did not start within {_STARTS_WITHIN_S:.0f} seconds; the machine may be overloaded.",
            "Check with `distill-tui jobs list` whether it has started since.",
        ) from error


def _new_in_log(path: Path, offset: int) -> str:
    text = ""
    with suppress(OSError), path.open("rb") as file:
        file.seek(offset)
        text = file.read()[-_SHOWN_OF_LOG_BYTES:].decode(errors="replace").strip()
    return redact(text) or "Its process ended without any output."


def read_holder(lock: Path) -> ProcessIdentity | None:
    """Return the process that holds a job's lock, or held it last; None if that cannot be read."""
    try:
        pid, started_at, boot = lock.read_text().split()
        return ProcessIdentity(int(pid), float(started_at), boot)
    except (OSError, ValueError):
        return None
