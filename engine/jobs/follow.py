"""The reading end of a job's event log: by byte offset, bounded, never blocking. Any number of readers may follow."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.jobs.liveness import mark_lost_jobs
from engine.jobs.log import EVENTS_FILE, decode_event
from engine.jobs.protocol import Progress, StampedEvent, StateChanged
from engine.records.job import LIVE_STATES

if TYPE_CHECKING:
    from engine.project import Project

_Kind = TypeVar("_Kind", Progress, StateChanged)
# A user interface calls `read_new` between two frames: decoding this many bytes takes less than 50 ms.
MAX_BYTES_A_READ = 64 * 1024
_LIVENESS_EVERY_S = 1.0
# The last state is written to the store before the log: how long to wait for its line.
_LAST_LINE_WITHIN_S = 2.0


class Follower:
    """Reads the events in `folder` from the beginning, a bounded piece per call."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS_FILE
        self._offset = 0
        self._behind = False
        self._half_line = bytearray()
        self._at = 0.0

    def read_new(self, max_bytes: int = MAX_BYTES_A_READ) -> list[StampedEvent]:
        """Return the complete events among at most `max_bytes` new bytes; empty if nothing is new, or no log exists.

        More may be waiting: call again until the result is empty. Half a last line is kept for the next call.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(max_bytes)
        except FileNotFoundError:
            self._behind = False
            return []
        self._offset += len(piece)
        self._behind = len(piece) == max_bytes
        *lines, rest = piece.split(b"\n")
        events: list[StampedEvent] = []
        for line in lines:
            whole = bytes(self._half_line) + line if self._half_line else line
            self._half_line.clear()
            if whole:
                event = decode_event(whole, self._at)
                self._at = event.at
                events.append(event)
        self._half_line += rest
        return events

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._offset

    @property
    def behind(self) -> bool:
        """Whether the last call read as much as it was allowed to, so that newer events may be waiting."""
        return self._behind


def read_all(folder: Path) -> Iterator[StampedEvent]:
    """Yield every event that the log in `folder` holds now."""
    follower, read_to = Follower(folder), -1
    while follower.offset > read_to:  # a piece of the log may hold no complete event
        read_to = follower.offset
        yield from follower.read_new()


def latest_progress(folder: Path) -> Progress | None:
    """Return the newest `Progress` in the last piece of the log in `folder`, or None, without following the log."""
    latest = _latest(folder, Progress)
    return latest[0] if latest is not None else None


def latest_state_at(folder: Path) -> float | None:
    """Return when the newest `StateChanged` in the last piece of the log in `folder` was logged, or None."""
    latest = _latest(folder, StateChanged)
    return latest[1] if latest is not None else None


def _latest(folder: Path, kind: type[_Kind]) -> tuple[_Kind, float] | None:
    try:
        with (folder / EVENTS_FILE).open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - MAX_BYTES_A_READ, 0))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    # Most lines hold answer text: only the few that may be of this kind are decoded.
    mark = f'"type":"{kind.__name__}"'.encode()
    for line in reversed(lines):
        if mark in line and isinstance(event := (stamped := decode_event(line)).event, kind):
            return event, stamped.at
    return None


def follow(project: "Project", job_id: int, poll_s: float = 0.1) -> Iterator[StampedEvent]:
    """Yield every event of the job from the first, as they are written, until the job is no longer live.

    A job whose process died without reporting it is marked `lost`. Raises `NotFoundError` for an unknown job.
    """
    follower = Follower(project.folder / project.jobs.get(job_id).folder)
    last_state = ""
    looked_at = 0.0
    ended_at: float | None = None
    while True:
        events = follower.read_new()
        for stamped in events:
            if isinstance(stamped.event, StateChanged):
                last_state = stamped.event.state
            yield stamped
        if events:
            continue
        now = time.monotonic()
        job = project.jobs.get(job_id)
        if job.state in LIVE_STATES:
            ended_at = None
            if now - looked_at >= _LIVENESS_EVERY_S:
                looked_at = now
                mark_lost_jobs(project)
        else:
            ended_at = ended_at or now
            if last_state == job.state or now - ended_at > _LAST_LINE_WITHIN_S:
                return
        time.sleep(poll_s)
