"""Reads the project's facts on one thread, and on another carries a person's wishes to the engine.

A project's connection belongs to the thread that opened it: each of the two has its own, and what a person asks for
never waits until the counts of 100,000 examples are read.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.widget import Widget

from engine.errors import DistillError
from engine.paths import Home

# The threads import what they need: a screen that names a message is drawn before the engine is there.
if TYPE_CHECKING:
    from engine.project import Project
    from engine.records.job import Job
    from engine.records.options import JobOptions
    from tui.services.facts import Facts
    from tui.services.reading import Reader

Wish = Literal["pause", "resume", "stop", "keep"]


class FactsRead(Message):
    """The store was read."""

    def __init__(self, facts: "Facts") -> None:
        super().__init__()
        self.facts = facts


class StoreFailed(Message):
    """The store could not be read, or a wish not be carried out; `error` says it in three sentences."""

    def __init__(self, error: DistillError) -> None:
        super().__init__()
        self.error = error


class JobStarted(Message):
    """A job was started."""

    def __init__(self, job: "Job") -> None:
        super().__init__()
        self.job = job


class _Worker:
    """A thread with the project open on it, for work that is done in turn."""

    def __init__(self, folder: Path, home: Home, name: str) -> None:
        self._folder, self._home = folder, home
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._project: Project | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Do `work` after what was submitted before."""
        self._thread.submit(work)

    @property
    def project(self) -> "Project":
        """The open project; to be asked for on the thread alone. Raises `DistillError`."""
        if self._project is None:
            from engine.project import Project

            self._project = Project.open(self._folder, self._home)
        return self._project

    def close(self) -> None:
        """Close the project when what is under way has ended; does not wait for it."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._project is not None:
            self._project.close()
            self._project = None


class StoreService:
    """One project's facts. Every method returns at once; answers come as messages to `target`."""

    def __init__(self, folder: Path, home: Home, target: Widget | App[int]) -> None:
        self.folder = folder
        self.home = home
        self._target = target
        self._reader = _Worker(folder, home, "facts")
        self._worker = _Worker(folder, home, "store")
        self._facts: Reader | None = None
        self._reading = False

    def read(self) -> None:
        """Ask for fresh facts; nothing comes where nothing changed, or while such a request is under way."""
        if not self._reading:
            self._reading = True
            self._reader.submit(self._read)

    def ask(self, work: "Callable[[Project], Message]", target: MessagePump) -> None:
        """Do `work` with the project, and post what it returns to `target`; an error of ours as `StoreFailed`."""
        self._worker.submit(lambda: self._ask(work, target))

    def start(self, options: "JobOptions") -> None:
        """Start the job that carries out `options`; ends in `JobStarted`, or `StoreFailed`."""
        self._worker.submit(lambda: self._start(options))

    def wish(self, wish: Wish, job_id: int) -> None:
        """Ask the job to pause, to go on, to end, or to end its training with the best that it has."""
        self._worker.submit(lambda: self._wish(wish, job_id))

    def close(self) -> None:
        """Close the project and end the threads, when what is under way has ended."""
        self._reader.submit(self._let_go)
        self._reader.close()
        self._worker.close()

    def _read(self) -> None:
        try:
            if self._facts is None:
                from tui.services.reading import Reader

                self._facts = Reader(self.folder, self.home)
            if (facts := self._facts.read_new(self._reader.project)) is not None:
                self._target.post_message(FactsRead(facts))
        except DistillError as error:
            if self._facts is not None:
                self._facts.forget()
            self._target.post_message(StoreFailed(error))
        finally:
            self._reading = False

    def _let_go(self) -> None:
        if self._facts is not None:
            self._facts.close()

    def _ask(self, work: "Callable[[Project], Message]", target: MessagePump) -> None:
        try:
            target.post_message(work(self._worker.project))
        except DistillError as error:
            target.post_message(StoreFailed(error))

    def _start(self, options: "JobOptions") -> None:
        try:
            self._target.post_message(JobStarted(self._worker.project.start_job(options)))
        except DistillError as error:
            self._target.post_message(StoreFailed(error))
        self.read()

    def _wish(self, wish: Wish, job_id: int) -> None:
        from engine.jobs import control

        try:
            project = self._worker.project
            job = project.jobs.get(job_id)
            match wish:
                case "pause":
                    control.pause(project, job)
                case "stop":
                    control.stop(project, job)
                case "keep":
                    control.keep(project, job)
                case "resume":
                    control.resume(project, job)
        except DistillError as error:
            self._target.post_message(StoreFailed(error))
        self.read()
