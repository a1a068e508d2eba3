"""A sign of life once a second, from a thread, so that a job inside a long library call does not look dead.

It uses the monotonic clock, which all processes of one boot share: neither setting the clock nor putting the machine
to sleep makes a job look silent.
"""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from engine.jobs.identity import boot_id
from engine.paths import PRIVATE_FILE_MODE

HEARTBEAT_FILE = "heartbeat"
_EVERY_S = 1.0


class Heartbeat:
    """Beats in `folder` until `stop`."""

    def __init__(self, folder: Path, every_s: float = _EVERY_S) -> None:
        self._file = os.open(folder / HEARTBEAT_FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        self._every_s = every_s
        self._boot_id = boot_id()
        self._stopped = threading.Event()
        self._beat()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        os.close(self._file)

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            self._beat()

    def _beat(self) -> None:
        # One write of one length: a reader sees the old beat or the new one. A full disk may refuse it; the next one
        # comes in a second, and a missing beat must not end the job.
        with suppress(OSError):
            os.pwrite(self._file, f"{time.monotonic():020.3f} {self._boot_id}\n".encode(), 0)


def heartbeat_age_s(folder: Path) -> float | None:
    """Return the seconds since the last heartbeat in `folder`; None if there was none since the machine booted."""
    try:
        beat, boot = (folder / HEARTBEAT_FILE).read_text().split()
        return max(0.0, time.monotonic() - float(beat)) if boot == boot_id() else None
    except (OSError, ValueError):
        return None
