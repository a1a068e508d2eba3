"""Follows a job's event log from a thread, and posts what is new in batches: at most ten a second.

Events from before the job was watched are applied on the thread and posted as one view, without being replayed.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

from textual.app import App
from textual.message import Message
from textual.widget import Widget

from engine.jobs.follow import Follower
from engine.jobs.protocol import StampedEvent
from engine.records.job import Job
from tui.services.job_view import JobView

POLL_S = 0.1
# No job writes this much between two polls; more is waiting only before the first, or after the terminal slept.
_NEW_BYTES = 1024 * 1024


@dataclass
class PastRead(Message):
    """`view` contains everything up to now and replaces any earlier one; the thread no longer touches it."""

    view: JobView


@dataclass
class JobEvents(Message):
    """New events of the watched job."""

    job_id: int
    events: list[StampedEvent]


class FollowerService:
    """Watches one job's folder until closed. Tolerates a log that is missing or unreadable for a while."""

    def __init__(self, job: Job, folder: Path, target: Widget | App[int]) -> None:
        """`folder` is the job's own."""
        self._job = job
        self._folder = folder
        self._target = target
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{job.id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; the job is not touched."""
        self._closed.set()

    def _follow(self) -> None:
        follower: Follower | None = None
        while not self._closed.is_set():
            try:
                follower = self._tell_new(follower) if follower is not None else self._tell_past()
            except OSError:  # the store is in the same place and reports what is wrong
                follower = None
            self._closed.wait(POLL_S)

    def _tell_past(self) -> Follower | None:
        follower, view = Follower(self._folder), JobView(self._job.id, self._job.kind)
        while not self._closed.is_set():
            for stamped in follower.read_new():
                view.apply(stamped)
            if not follower.behind:
                self._target.post_message(PastRead(view))
                return follower
        return None

    def _tell_new(self, follower: Follower) -> Follower | None:
        """None: too many new events to post individually."""
        events = follower.read_new(_NEW_BYTES)
        if follower.behind:
            return None
        if events:
            self._target.post_message(JobEvents(self._job.id, events))
        return follower
