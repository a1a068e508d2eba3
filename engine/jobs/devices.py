"""The queue for a device: one job at a time holds it, first come, first served. Knows nothing of what a device is:
anything that jobs must do one after another can have such a queue.

Each job in the queue has a numbered ticket, a file that it keeps locked. The lowest ticket that is still locked holds
the device; when a process dies, the kernel unlocks its ticket, and whoever looks next deletes it.
"""

import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

from engine.gpus import card_of
from engine.jobs.locks import FileLock
from engine.paths import make_private_folder

_QUEUE_LOCK = "queue.lock"
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a device, or waits for it."""

    job_id: int  # 0: a command that is not a job
    kind: str
    project: str
    pid: int = field(default=0, compare=False)  # of the process that keeps the ticket locked; 0: unknown

    def __str__(self) -> str:
        return f"{f'job {self.job_id}' if self.job_id else 'a command'} ({self.kind}) of {self.project}"


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is ahead of a ticket: who holds the device, and how many others wait before this one."""

    holder: Holder
    others: int


class Ticket:
    """A place in the queue, from when it is drawn until `give_back` or the end of this process."""

    def __init__(self, folder: Path, path: Path, lock: FileLock) -> None:
        self._folder = folder
        self._path = path
        self._lock: FileLock | None = lock

    @classmethod
    def draw(cls, state_folder: Path, device: str, holder: Holder) -> "Ticket":
        """Return a ticket at the end of `device`'s queue on this machine. Raises `JobError` or `StoreError`."""
        folder = make_private_folder(_folder_of(state_folder, device))
        with _lock_queue(folder):
            numbers = [int(path.stem) for path in _tickets(folder)]
            path = folder / f"{max(numbers, default=0) + 1:012d}.ticket"
            lock = FileLock.wait_for(path)
            lock.write(json.dumps(asdict(replace(holder, pid=os.getpid()))))
        return cls(folder, path, lock)

    def ahead(self, stands_in_the_way: Callable[[Holder], bool] = lambda _: True) -> Ahead | None:
        """Return who is ahead of this ticket, counting only those in its way; None when its turn has come."""
        with _lock_queue(self._folder):
            live = [holder for path in _tickets(self._folder) if path < self._path and (holder := _sweep(path))]
        before = [holder for holder in live if stands_in_the_way(holder)]
        return Ahead(before[0], len(before) - 1) if before else None

    def behind(self) -> Holder | None:
        """Return who is next in the queue after this ticket, or None."""
        with _lock_queue(self._folder):
            after = (holder for path in _tickets(self._folder) if path > self._path and (holder := _sweep(path)))
            return next(after, None)

    def give_back(self) -> None:
        """Leave the queue, or free the device for the next job. Calling this twice is harmless."""
        if self._lock is None:
            return
        with _lock_queue(self._folder):
            self._path.unlink(missing_ok=True)
            self._lock.release()
        self._lock = None


def held_by(state_folder: Path, device: str) -> Holder | None:
    """Return who holds `device` now, or None. The holder is alive, because it locks its ticket. Raises `JobError`."""
    folder = _folder_of(state_folder, device)
    if not folder.is_dir():
        return None
    with _lock_queue(folder):
        return next((holder for path in _tickets(folder) if (holder := _sweep(path))), None)


@contextmanager
def command_turn(state_folder: Path, device: str, holder: Holder, on_wait: Callable[[Ahead], None]) -> Iterator[None]:
    """Hold `device` for the `with` block of a command that is not a job; `on_wait` is called with what it waits for.

    Raises `JobError` or `StoreError`.
    """
    ticket, reported = Ticket.draw(state_folder, device, holder), None
    try:
        while (ahead := ticket.ahead()) is not None:
            if ahead != reported:
                reported = ahead
                on_wait(ahead)
            time.sleep(_POLL_S)
        yield
    finally:
        ticket.give_back()


def _lock_queue(folder: Path) -> FileLock:
    """Return a lock during which no ticket is drawn, given back or deleted."""
    return FileLock.wait_for(folder / _QUEUE_LOCK)


def _folder_of(state_folder: Path, device: str) -> Path:
    # Two names of one device must lead to one queue, even if processes see different GPUs of the machine. A home folder
    # may be shared by several machines, whose devices have the same names.
    name = re.sub(r"[^A-Za-z0-9.-]", "-", card_of(device))
    return state_folder / "devices" / (platform.node() or "localhost") / name


def _tickets(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.ticket") if path.stem.isdecimal())


def _sweep(path: Path) -> Holder | None:
    """Return the live holder of the ticket at `path`; delete the ticket if its holder is dead."""
    lock = FileLock.take(path)
    if lock is None:
        return _holder(path)
    with lock:
        path.unlink(missing_ok=True)
    return None


def _holder(path: Path) -> Holder:
    try:
        row: object = json.loads(path.read_text())
    except (OSError, ValueError):
        row = {}
    fields = cast("dict[str, object]", row) if isinstance(row, dict) else {}
    job_id, pid = fields.get("job_id"), fields.get("pid")
    return Holder(
        job_id if isinstance(job_id, int) else 0,
        str(fields.get("kind", "?")),
        str(fields.get("project", "?")),
        pid if isinstance(pid, int) else 0,
    )
