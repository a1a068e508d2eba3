"""What a stage sees of the job that it runs in: its project, its log, the user's requests, the device queue."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import JobStopped, StoreError
from engine.gpus import why_gpus_unusable
from engine.jobs.control_file import read_command
from engine.jobs.devices import Holder, Ticket
from engine.jobs.log import EventLog
from engine.jobs.protocol import Command, Event, Note, Progress, StageStarted, StateChanged
from engine.jobs.stopwatch import Stopwatch
from engine.paths import make_private_folder
from engine.records.job import LIVE_STATES, Job, JobState, Work, resume_advice
from engine.redact import redact
from engine.store.clock import now_text
from engine.wording import counted

if TYPE_CHECKING:
    from engine.project import Project

_PROGRESS_ROW_EVERY_S = 0.5
_COMMAND_READ_EVERY_S = 0.05
_POLL_S = 0.1


class StopFlag:
    """Set by a signal handler, read by the context. A plain attribute, because a handler must not take a lock."""

    def __init__(self) -> None:
        self.up = False


class JobContext:
    """The job's side of the process boundary.

    It belongs to one thread, but `emit` may be called from any thread for events other than `StateChanged`.
    """

    def __init__(self, project: "Project", job: Job, stop: StopFlag | None = None) -> None:
        self.project = project
        self.job = job
        self.folder: Path = make_private_folder(project.folder / job.folder)
        self._stop = stop or StopFlag()
        self._log = EventLog(self.folder)
        self._stopwatch = Stopwatch(project.jobs, job)
        self._unwritten_events = 0
        self._progress: Progress | None = None
        self._progress_written_at = 0.0
        self._command: Command = "run"
        self._command_read_at = 0.0
        self._state: JobState = job.state
        self._note = job.note

    def emit(self, event: Event) -> None:
        """Append `event` to the job's log; `StateChanged`, `StageStarted` and, about twice a second, `Progress`
        go to the store first.

        If the disk is full, the event is lost, and a `Note` says how many were as soon as there is room: a stage whose
        facts are stored must not fail because of its log.
        """
        if isinstance(event, StateChanged):
            self._write_state(event)
        elif isinstance(event, Progress):
            self._progress = event
        elif isinstance(event, StageStarted):
            with self.project.transaction():
                self._stopwatch.move(event.station)
                self.project.jobs.update(self.job.id, stage=event.station)
        self._append(event)

    def checkpoint(self) -> None:
        """Block while the job is paused, and raise `JobStopped` to end it. Call this at every batch or step."""
        self._write_progress()
        if self.stop_requested:
            raise JobStopped(
                "The job was stopped.",
                "A stop was requested.",
                resume_advice(self.job.id),
            )
        if self.pause_requested:
            self._wait_while_paused()

    @property
    def stop_requested(self) -> bool:
        """Whether the next `checkpoint` will raise; for stages that have to save first."""
        return self._stop.up or self._current_command() == "stop"

    @property
    def pause_requested(self) -> bool:
        """Whether the next `checkpoint` will block; for stages with work in flight that should end first."""
        return self._current_command() == "pause"

    @property
    def keep_requested(self) -> bool:
        """Whether training should finish now with its best checkpoint; `checkpoint` does not raise for this."""
        return self._current_command() == "keep"

    @property
    def work(self) -> Work:
        """What this job has done at its current station, across all its processes."""
        return self._stopwatch.read()

    def write_work(self, answers: int = 0, cost_usd: float = 0.0) -> None:
        """Store the time at the current station, and add `answers` and their cost.

        Call this in the transaction that stores the answers.
        """
        self._stopwatch.keep(answers, cost_usd)

    def write_timing(self, stage: str) -> None:
        """Store as the time of `stage` how long all jobs of the project have worked at this job's station."""
        self.write_work()
        self.project.settings.write_timing(stage, self.project.jobs.worked_s(self._stopwatch.station))

    @property
    def note(self) -> str:
        """Why the job waits or is paused; empty while it runs. May be read from any thread."""
        return self._note

    def hold_device(self, device: str) -> AbstractContextManager[Ticket]:
        """Wait until `device` (`cpu`, `cuda:0`) is free for this job, and hold it for the `with` block.

        Meanwhile the job is `waiting`, with a note that names the holder. It can be stopped, or paused, which gives up
        its place. A job that is paused inside the block keeps the device, because its model is still loaded there.
        """
        if device == "cpu" and (why := why_gpus_unusable()):
            self.emit(Note(f"The GPU of this machine is not used: {why}. See `distill-tui doctor`."))
        return self._hold(self.project.home.state, device, f"holds {device}")

    def take_turn(
        self, queue: str, what: str, meets: Callable[[int], bool] = lambda _: True
    ) -> AbstractContextManager[Ticket]:
        """Wait until no earlier job of this project is in `queue`, and keep later ones waiting for the `with` block.

        So two jobs never ask, and pay for, the same thing at once; work out what is left to ask inside the block. While
        it waits the job is `waiting`, as for a device. `what` says what the other job does ("is asking the judge");
        `meets` says for a job's number whether that job has to be waited for.
        """
        return self._hold(self.project.folder / "jobs", queue, what, lambda holder: meets(holder.job_id))

    def close(self) -> None:
        """Write pending progress and close the log; the context must not be used afterwards."""
        self._write_progress(now=True)
        self._log.close()

    @contextmanager
    def _hold(
        self, folder: Path, queue: str, what: str, stands_in_the_way: Callable[[Holder], bool] = lambda _: True
    ) -> Iterator[Ticket]:
        holder = Holder(self.job.id, self.job.kind, self.project.name)
        ticket = Ticket.draw(folder, queue, holder)
        waited = False
        try:
            while (ahead := ticket.ahead(stands_in_the_way)) is not None:
                more = f", {ahead.others} more before this job" if ahead.others else ""
                self._change_state("waiting", f"{ahead.holder} {what}{more}")
                waited = True
                if self.pause_requested:
                    ticket.give_back()
                    self.checkpoint()
                    ticket = Ticket.draw(folder, queue, holder)
                self.checkpoint()
                time.sleep(_POLL_S)
            if waited:
                self._change_state("running", "")
            yield ticket
        finally:
            ticket.give_back()

    def _wait_while_paused(self) -> None:
        state, note = self._state, self._note
        self._change_state("paused", f"Paused. {resume_advice(self.job.id)}")
        while self.pause_requested and not self._stop.up:
            time.sleep(_POLL_S)
        if self.stop_requested:
            self.checkpoint()
        self._change_state(state, note)

    def _change_state(self, state: JobState, note: str) -> None:
        if (state, note) != (self._state, self._note):
            self.emit(StateChanged(state, note))

    def _current_command(self) -> Command:
        now = time.monotonic()
        if now - self._command_read_at >= _COMMAND_READ_EVERY_S:
            self._command = read_command(self.folder)
            self._command_read_at = now
        return self._command

    def _write_state(self, event: StateChanged) -> None:
        self._write_progress(now=True)
        note = redact(event.note)
        ended_at = None if event.state in LIVE_STATES else now_text()
        self._stopwatch.turn(running=event.state == "running")
        with self.project.transaction():
            self._stopwatch.keep()
            self.project.jobs.update(self.job.id, state=event.state, note=note, ended_at=ended_at)
        self._state, self._note = event.state, event.note

    def _write_progress(self, *, now: bool = False) -> None:
        progress = self._progress
        if progress is None or not (now or time.monotonic() - self._progress_written_at >= _PROGRESS_ROW_EVERY_S):
            return
        self._progress_written_at = time.monotonic()
        try:
            with self.project.transaction():
                self._stopwatch.keep()
                self.project.jobs.update(
                    self.job.id, done=progress.done, total=progress.total, note=redact(progress.note)
                )
        except StoreError:
            # The row only summarises the log: a locked database must not end the work. The next call tries again.
            return
        if self._progress is progress:
            self._progress = None

    def _append(self, event: Event) -> None:
        try:
            if self._unwritten_events:
                self._log.append(Note(f"{counted(self._unwritten_events, 'event')} could not be written to the log."))
                self._unwritten_events = 0
            self._log.append(event)
        except OSError:
            self._unwritten_events += 1
