"""Follows a job's event log from a thread, and posts what is new in batches: at most ten a second.

What a job told before anybody watched it comes as fast as it is read.
"""

import threading
from pathlib import Path

from textual.app import App
from textual.message import Message
from textual.widget import Widget

from engine.jobs.follow import Follower
from engine.jobs.protocol import StampedEvent

POLL_S = 0.1
_CATCH_UP_S = 0.01  # between two pieces of the past: keys come through


class JobTold(Message):
    """New events of the job that is watched; `past` while newer ones are waiting."""

    def __init__(self, job_id: int, events: list[StampedEvent], *, past: bool = False) -> None:
        super().__init__()
        self.job_id = job_id
        self.events = events
        self.past = past


class FollowerService:
    """Watches one job's folder until it is closed. Survives a log that is not there yet."""

    def __init__(self, job_id: int, folder: Path, target: Widget | App[int]) -> None:
        self._job_id = job_id
        self._follower = Follower(folder)
        self._target = target
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{job_id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; the job is not touched."""
        self._closed.set()

    def _follow(self) -> None:
        past = False
        while not self._closed.is_set():
            events, was_past = self._follower.read_new(), past
            past = self._follower.behind
            if events or was_past:
                self._target.post_message(JobTold(self._job_id, events, past=past))
            self._closed.wait(_CATCH_UP_S if past else POLL_S)
