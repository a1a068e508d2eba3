"""Reads the project's facts on one thread, and carries out requests to the engine on another.

A project's connection belongs to the thread that opened it: each of the two has its own, so a request
never waits until the counts of 100,000 examples are read.
"""

from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.widget import Widget

from engine.errors import DistillError
from engine.paths import Home
from tui.services.ended import WorkEnded
from tui.services.failing import as_distill_error, failing_to

# The threads import what they need: screens that use these messages are drawn before the engine is loaded.
if TYPE_CHECKING:
    from engine.project import Project
    from engine.records.job import Job
    from engine.records.options import JobOptions
    from tui.services.facts import Facts
    from tui.services.reading import Reader

JobCommand = Literal["pause", "resume", "stop", "keep"]


@dataclass
class FactsRead(Message):
    """The store was read."""

    facts: "Facts"


@dataclass
class StoreFailed(Message):
    """The store could not be read, or a request failed; `error` says why."""

    error: DistillError


class ReadFailed(StoreFailed):
    """The facts could not be read: what is shown stays old until they can."""


@dataclass
class JobStarted(Message):
    """A job was started."""

    job: "Job"


class _Closable(Protocol):
    def close(self) -> None: ...


Held = TypeVar("Held", bound=_Closable)
Answer = TypeVar("Answer")


class _Worker(Generic[Held]):
    """A thread that does work in order, with a resource opened on first use."""

    def __init__(self, name: str, opened: Callable[[], Held]) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._opened = opened
        self._held: Held | None = None

    def submit(self, work: Callable[[], Answer]) -> Future[Answer]:
        """Do `work` after everything submitted earlier."""
        return self._thread.submit(work)

    @property
    def held(self) -> Held:
        """The resource; only for use on the thread. Raises what opening it raises."""
        if self._held is None:
            self._held = self._opened()
        return self._held

    def close(self) -> None:
        """Close the resource once current work has ended; does not wait for it."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _open_reader(folder: Path, home: Home) -> "Reader":
    from tui.services.reading import Reader

    return Reader(folder, home)


def _open_project(folder: Path, home: Home) -> "Project":
    from engine.project import Project

    return Project.open(folder, home)


class StoreService:
    """One project's facts. Every method returns at once; facts and started jobs come as messages to `target`."""

    def __init__(self, folder: Path, home: Home, target: Widget | App[int]) -> None:
        self.folder = folder
        self.home = home
        self._target = target
        self._app = target.app  # a screen that was left no longer knows it
        self._reader = _Worker("facts", partial(_open_reader, folder, home))
        self._worker = _Worker("store", partial(_open_project, folder, home))
        self._reading = False

    def read(self) -> None:
        """Request fresh facts; nothing comes if nothing changed or a request is already pending."""
        if not self._reading:
            self._reading = True
            self._reader.submit(self._read)

    def ask(self, work: "Callable[[Project], Answer]", then: Callable[[Answer], object], target: MessagePump) -> None:
        """Do `work` with the project, then call `then` with its result among the messages of `target`.

        If that was left meanwhile, `then` is not called. A failure is posted to `target` as `StoreFailed`.
        """
        self.carry_out(lambda project: target.call_later(then, work(project)), target)

    def post(self, work: "Callable[[Project], Message]", target: MessagePump) -> None:
        """Do `work` with the project, and post its result: it travels up from `target`, or answers many requests."""
        self.carry_out(lambda project: target.post_message(work(project)), target)

    def carry_out(self, work: "Callable[[Project], object]", target: MessagePump) -> None:
        """Do `work` with the project, and post to `target` only if it fails, as `StoreFailed`."""

        def done() -> None:
            with self._failing_to(target):
                work(self._worker.held)

        self._worker.submit(done)

    async def answer(self, work: "Callable[[Project], Answer]") -> Answer:
        """Return the result of `work` with the project, after earlier requests. Raises `DistillError` on failure."""
        try:
            return await wrap_future(self._worker.submit(lambda: work(self._worker.held)))
        except Exception as error:
            raise as_distill_error(error) from error

    def start(self, work: "Callable[[Project], JobOptions]", target: MessagePump) -> None:
        """Start a job with the options from `work`; ends in `JobStarted`, or in `StoreFailed` for `target`."""

        def started(project: "Project") -> None:
            from engine.jobs.control import check_new

            check_new(project, options := work(project))
            self._target.post_message(JobStarted(project.start_job(options)))

        self.carry_out(started, target)
        self._worker.submit(self.read)

    def send(self, command: JobCommand, job_id: int) -> None:
        """Ask the job to pause, resume, stop, or end its training and keep the best adapter."""
        self.carry_out(lambda project: _send(project, command, job_id), self._target)
        self._worker.submit(self.read)

    def close(self) -> None:
        """Close the project and end the threads once current work has ended."""
        self._reader.close()
        self._worker.close()

    def _read(self) -> None:
        try:
            with self._failing_to(self._target, ReadFailed):
                if (facts := self._reader.held.read_new()) is not None:
                    self._target.post_message(FactsRead(facts))
        finally:
            self._reading = False

    def _failing_to(self, target: MessagePump, kind: type[StoreFailed] = StoreFailed) -> AbstractContextManager[None]:
        """Tell a failure to `target`; if that was left, to the project's screen; if that was left too, to the app."""

        def tell(error: DistillError) -> None:
            if not any(place.post_message(kind(error)) for place in (target, self._target)) and kind is StoreFailed:
                self._app.post_message(WorkEnded(self.folder.name, "a request", late=True, error=error))

        return failing_to(tell)


def _send(project: "Project", command: JobCommand, job_id: int) -> None:
    from engine.jobs import control
    from engine.training.in_use import require_free_to_resume

    job = project.jobs.get(job_id)
    match command:
        case "pause":
            control.pause(project, job)
        case "stop":
            control.stop(project, job)
        case "keep":
            control.keep(project, job)
        case "resume":
            require_free_to_resume(project, job)
            control.resume(project, job)
