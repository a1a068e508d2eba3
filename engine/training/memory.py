"""What a run needs to know of memory: how much it took, and whether the kernel ended a process for it.

Knows nothing of models.
"""

import ctypes
import resource
import sys
from pathlib import Path

import psutil
import torch

_MB = 1e6
_SLACK_MB = 500.0
_level_mb = 0.0  # after the last time
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
GPU_PEAK = "gpu_peak_mb"  # among a step's figures


def trimmed_rss_mb() -> float:
    """Resident memory of this process now, in MB (1e6 bytes), once what is free was given back to the system.

    glibc keeps the holes between blocks: batches of ever other lengths leave more of them at each step. To give them
    back costs time, for they are asked for again: so only when they may have come to `_SLACK_MB`.
    """
    global _level_mb
    resident = float(psutil.Process().memory_info().rss) / _MB
    if _trim is not None and resident > _level_mb + _SLACK_MB:
        _trim(0)
        resident = _level_mb = float(psutil.Process().memory_info().rss) / _MB
    return resident


def peak_rss_mb() -> float:
    """The most resident memory that this process ever had, in MB (1e6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) * (1 if sys.platform == "darwin" else 1024) / _MB


def device_memory(device: torch.device) -> dict[str, float]:
    """The most memory that torch has held on a graphics card so far, in MB (1e6 bytes); nothing elsewhere."""
    if device.type != "cuda":
        return {}
    return {GPU_PEAK: float(torch.cuda.max_memory_reserved(device)) / _MB}


def kernel_oom_kills() -> int:
    """How many processes the kernel has killed for lack of memory since it booted; -1 where it does not tell.

    A killed process cannot say why it ended: the number having risen is what the next one can know.
    """
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return -1
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), -1)
