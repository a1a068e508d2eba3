"""The process that carries out one job: `python -P -m engine.jobs.worker PROJECT JOB [--home HOME]`.

Two processes, as is usual for daemons: the first leads a new session and ends as soon as the second has registered
itself in the store, so that its launcher knows that it is running, and has no child to wait for. The second has its own
process group, cannot acquire a terminal, has no standard input, and prints only to the job's log.

SIGTERM and SIGINT request a stop, SIGHUP is ignored. Every end is written to the store first, then to the event log.
"""

import argparse
import faulthandler
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TextIO

from engine.errors import DistillError, JobStopped
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.heartbeat import Heartbeat
from engine.jobs.identity import own_identity
from engine.jobs.launch import ALREADY_RUNNING_STATUS
from engine.jobs.liveness import LOCK_FILE, is_alive, write_holder
from engine.jobs.locks import FileLock
from engine.jobs.protocol import StateChanged
from engine.jobs.stages import find_stage
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.records.job import LIVE_STATES
from engine.redact import redact
from engine.store.clock import now_text
from engine.store.jobs import options_of_job

NICENESS = 5
_SESSION_NICENESS = Path("/proc/self/autogroup")
_SESSION_TRIES, _SESSION_EVERY_S = 5, 0.1
_LOCK_WITHIN_S = 3.0


def main() -> int:
    """Become the job's process. Return the exit status of whichever of the two processes gets here."""
    parser = argparse.ArgumentParser(prog="engine.jobs.worker", description="Carries out one job of a project.")
    parser.add_argument("project", type=Path)
    parser.add_argument("job", type=int)
    parser.add_argument("--home", type=Path)
    words = parser.parse_args()
    hears, tells = os.pipe()
    second = os.fork()
    if second:
        os.close(tells)
        begun = os.read(hears, 1)
        return 0 if begun else os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])
    os.close(hears)
    os.setpgid(0, 0)
    _give_way()
    sys.stdout = sys.stderr = _RedactedLog(sys.stderr)
    faulthandler.enable(file=2)
    try:
        return carry_out(words.project, words.job, Home.locate(words.home), lambda: _tell(tells))
    except DistillError as error:
        print(redact(str(error)), file=sys.stderr)  # noqa: T201 - standard error is the job's log
        return 1


def carry_out(folder: Path, job_id: int, home: Home, on_begun: Callable[[], None] = lambda: None) -> int:
    """Carry out the job in this process, and return its exit status; call `on_begun` once the store knows of it.

    Raises `DistillError` if the job cannot be started.
    """
    stop = _obey_signals()
    with Project.open(folder, home) as project:
        job = project.jobs.get(job_id)
        job_folder = make_private_folder(project.folder / job.folder)
        lock = _lock(project, job_id, job_folder)
        if lock is None:
            return ALREADY_RUNNING_STATUS
        me = own_identity()
        write_holder(lock, me)
        project.jobs.update(
            job_id,
            pid=me.pid,
            pid_started_at=me.started_at,
            boot_id=me.boot_id,
            state="waiting",
            note="",
            started_at=now_text(),
            ended_at="",
        )
        heartbeat = Heartbeat(job_folder)
        context = JobContext(project, project.jobs.get(job_id), stop)
        _say(f"process {me.pid} starts job {job_id} ({job.kind})")
        on_begun()
        try:
            status = _run_stage(context)
        finally:
            context.close()
            heartbeat.stop()
            lock.release()
    return status


def _give_way() -> None:
    """Lower the priority, so that whoever works at the machine goes first."""
    os.nice(NICENESS)
    _give_way_as_session()


def _give_way_as_session() -> None:
    # With autogrouping, Linux weighs sessions against each other, and niceness only within one: see sched(7).
    for _ in range(_SESSION_TRIES):
        try:
            _SESSION_NICENESS.write_text(str(NICENESS))
        except BlockingIOError:  # without root, the kernel accepts one such write per 0.1 s
            time.sleep(_SESSION_EVERY_S)
        except OSError:
            return
        else:
            return


def _tell(tells: int) -> None:
    os.write(tells, b"1")
    os.close(tells)


def _run_stage(context: JobContext) -> int:
    job = context.job
    context.emit(StateChanged("running"))
    try:
        stage = find_stage(job.kind)
        stage(context, options_of_job(job))
    except JobStopped as stopped:
        return _end(context, StateChanged("stopped", stopped.next), 0)
    except DistillError as error:
        _say(str(error))
        return _end(context, StateChanged("failed", str(error)), 1)
    except BaseException as defect:  # noqa: BLE001 - the last place that can say why
        _say(traceback.format_exc())
        why = f"{type(defect).__name__}: {defect}"
        note = f"Internal error: {why}. The traceback is in {context.folder / 'log.txt'}."
        return _end(context, StateChanged("failed", note), 1)
    return _end(context, StateChanged("done"), 0)


def _end(context: JobContext, last: StateChanged, status: int) -> int:
    context.emit(last)
    _say(f"job {context.job.id} is {last.state}")
    return status


def _lock(project: Project, job_id: int, folder: Path) -> FileLock | None:
    # A reader that looks for dead jobs takes the lock for a moment, and a worker that has ended its job releases it a
    # moment later: only the live process of a live job is a reason to fail at once.
    deadline = time.monotonic() + _LOCK_WITHIN_S
    while (lock := FileLock.take(folder / LOCK_FILE)) is None:
        job = project.jobs.get(job_id)
        if time.monotonic() > deadline or (job.state in LIVE_STATES and is_alive(job)):
            return None
        time.sleep(0.05)
    return lock


def _obey_signals() -> StopFlag:
    stop = StopFlag()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.up = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return stop


def _say(text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    print(f"{stamp} {text}", file=sys.stderr, flush=True)  # noqa: T201 - standard error is the job's log


class _RedactedLog(io.TextIOBase):
    """Standard output and standard error of a worker: whole lines, with secrets masked, written to the job's log."""

    encoding = "utf-8"  # libraries ask

    def __init__(self, log: TextIO) -> None:
        super().__init__()
        self._log = log
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        if lines:
            self._log.write(redact("\n".join(lines)) + "\n")
            self._log.flush()
        return len(text)

    def flush(self) -> None:
        if self._line:
            self._log.write(redact(self._line))
            self._line = ""
        self._log.flush()

    def fileno(self) -> int:
        return self._log.fileno()

    def isatty(self) -> bool:
        return False


if __name__ == "__main__":
    sys.exit(main())
