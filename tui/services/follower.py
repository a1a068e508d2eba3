"""Follows a job's event log from a thread, and posts what is new in batches: at most ten a second."""

import threading
from pathlib import Path

from textual.app import App
from textual.message import Message
from textual.widget import Widget

from engine.jobs.follow import Follower
from engine.jobs.protocol import StampedEvent

POLL_S = 0.1


class JobTold(Message):
    """New events of the job that is watched."""

    def __init__(self, job_id: int, events: list[StampedEvent]) -> None:
        super().__init__()
        self.job_id = job_id
        self.events = events


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
        while not self._closed.is_set():
            events = self._follower.read_new()
            if events:
                self._target.post_message(JobTold(self._job_id, events))
            self._closed.wait(POLL_S)
