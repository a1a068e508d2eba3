"""Processor and memory of the watched job's process, read without blocking."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading; `cpu_percent` counts 100 for each busy core."""

    cpu_percent: float
    rss_mb: float


class Meter:
    """Reads one process after another; the processor's share is measured between two readings."""

    def __init__(self) -> None:
        self._process: psutil.Process | None = None

    def read(self, pid: int) -> Reading | None:
        """The process's load since the last reading, or None where there is no such process."""
        try:
            if self._process is None or self._process.pid != pid:
                self._process = psutil.Process(pid)
                self._process.cpu_percent()
            return Reading(self._process.cpu_percent(), self._process.memory_info().rss / 1e6)
        except psutil.Error:
            self._process = None
            return None
