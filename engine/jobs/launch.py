"""Starts the process that carries out a job, in its own session and detached from the terminal."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from engine.errors import JobError
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


def launch(project: Path, job: Job, home: Home) -> None:
    """Start the worker of `job`, and return once it is registered in the store.

    The worker is not a child of this process: it survives this process and its terminal, and leaves no zombie. Its
    output goes to `log.txt` in the job's folder. Takes about as long as an interpreter needs to start and open the
    project. Raises `JobError` if it cannot be started or another process is carrying out this job, and `StoreError` if
    its folder cannot be created.
    """
    folder = make_private_folder(project / job.folder)
    survival = plan_survival()
    # -P keeps Python from importing files in the project's folder.
    worker = [sys.executable, "-P", "-m", WORKER_MODULE, str(project.absolute()), str(job.id)]
    if home.root is not None:
        worker += ["--home", str(home.root)]
    log = _open_log(folder, f"{survival.trouble} {survival.advice}".strip())
    try:
        before = os.fstat(log).st_size
        status = _start([*survival.prefix, *worker], project, log)
    finally:
        os.close(log)
    if status == ALREADY_RUNNING_STATUS:
        raise JobError(f"Job {job.id} is already running.", "Another process is carrying it out.", "Follow it instead.")
    if status != 0:
        raise JobError(f"Job {job.id} could not be started.", _new_in_log(folder / LOG_FILE, before), "")


def _open_log(folder: Path, note: str) -> int:
    """Append `note`, if there is one, to the job's events, and return its log opened for the worker's output."""
    try:
        if note:
            with EventLog(folder) as events:
                events.append(Note(note))
        return os.open(folder / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
    except OSError as error:
        raise JobError(
            "The job could not be started.",
            f"{error.filename or folder}: {error.strerror or error}.",
            "Check the permissions and the free disk space.",
        ) from error


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
