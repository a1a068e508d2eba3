"""Who a process is: its pid, trusted only together with its start time and the boot's id. Knows nothing of jobs."""

import os
from dataclasses import dataclass
from pathlib import Path

_HAS_PROC = Path("/proc/self/stat").exists()
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SAME_START_WITHIN_S = 0.005


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process for as long as the machine is up. `started_at` is only compared with other values of itself.

    On Linux it counts from the boot, so that setting the clock changes nothing; elsewhere from the epoch.
    """

    pid: int
    started_at: float
    boot_id: str


def own_identity() -> ProcessIdentity:
    """Return the identity of this process."""
    started_at = _started_at(os.getpid())
    if started_at is None:
        raise RuntimeError("the kernel does not know this process")
    return ProcessIdentity(os.getpid(), started_at, boot_id())


def is_running(identity: ProcessIdentity) -> bool:
    """Whether exactly that process is still running: not a zombie, and not a later process with the same pid."""
    if identity.pid <= 0 or identity.boot_id != boot_id():
        return False
    started_at = _started_at(identity.pid)
    return started_at is not None and abs(started_at - identity.started_at) < _SAME_START_WITHIN_S


def boot_id() -> str:
    """Return an id that changes with each boot."""
    if _HAS_PROC:
        return _BOOT_ID.read_text().strip()
    import psutil  # needed only where there is no /proc

    return str(int(psutil.boot_time()))


def _started_at(pid: int) -> float | None:
    if _HAS_PROC:
        return _started_at_linux(pid)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def _started_at_linux(pid: int) -> float | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The command's name is in brackets and may contain anything; the fields are counted after its last bracket.
    state, *numbers = stat[stat.rindex(b")") + 2 :].split()
    if state in (b"Z", b"X"):
        return None
    return int(numbers[18]) / os.sysconf("SC_CLK_TCK")
