"""CPU, memory and GPU of the watched job, read once a second on a thread, since GPU drivers can be slow."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message
from textual.message_pump import MessagePump

from engine.gpus import visible_handles

if TYPE_CHECKING:
    import psutil

READ_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class GpuReading:
    """Load and used memory of this machine's GPUs, combined."""

    busy_percent: float
    used_mb: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading; `cpu_percent` counts 100 for each busy core."""

    cpu_percent: float
    rss_mb: float


@dataclass
class MeterRead(Message):
    """The meters were read: the job's, if one is running, and the GPUs', if there are any."""

    reading: Reading | None
    gpu: GpuReading | None


class Meter:
    """Reads a process's load; CPU usage is measured between two readings."""

    def __init__(self) -> None:
        self._process: psutil.Process | None = None

    def read(self, pid: int) -> Reading | None:
        """The process's load since the last reading, or None if there is no such process."""
        import psutil  # only needed while a job runs

        try:
            if self._process is None or self._process.pid != pid:
                self._process = psutil.Process(pid)
                self._process.cpu_percent()
            return Reading(self._process.cpu_percent(), self._process.memory_info().rss / 1e6)
        except psutil.Error:
            self._process = None
            return None


class GpuMeter:
    """Reads GPUs through NVIDIA's library; if it or a GPU is missing, never reads anything."""

    def __init__(self) -> None:
        self._devices: Sequence[object] | None = None

    def read(self) -> GpuReading | None:
        """Current load of the GPUs visible to jobs, or None if there is none to read."""
        import pynvml

        try:
            if self._devices is None:
                self._devices = visible_handles()
            if not self._devices:
                return None
            busy = [float(pynvml.nvmlDeviceGetUtilizationRates(device).gpu) for device in self._devices]
            used = [float(pynvml.nvmlDeviceGetMemoryInfo(device).used) for device in self._devices]
        except pynvml.NVMLError:
            self._devices = []
            return None
        return GpuReading(sum(busy) / len(busy), sum(used) / 1e6)


class MeterService:
    """Posts a `MeterRead` to `target` every second until closed.

    Its imports occupy the interpreter for a tenth of a second, so create it after the first paint.
    """

    def __init__(self, target: MessagePump) -> None:
        self._target = target
        self._pid = 0
        self._closed = False
        self._wake = threading.Event()
        threading.Thread(target=self._watch, name="meters", daemon=True).start()

    def watch(self, pid: int) -> None:
        """Watch this process from now on; 0: none."""
        if pid != self._pid:
            self._pid = pid
            self._wake.set()

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._wake.set()

    def _watch(self) -> None:
        meter, gpu = Meter(), GpuMeter()
        while not self._closed:
            self._target.post_message(MeterRead(meter.read(self._pid) if self._pid else None, gpu.read()))
            self._wake.wait(READ_EVERY_S)
            self._wake.clear()
