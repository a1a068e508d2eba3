"""Memory figures for a run: how much it took, and whether the kernel killed a process for lack of it.

Knows nothing of models.
"""

import ctypes
import resource
import sys
from pathlib import Path

import psutil
import torch

from engine.model.memory import release_memory

_MB = 1e6
_SLACK_MB = 500.0
_level_mb = 0.0  # resident memory after the last trim
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
GPU_PEAK = "gpu_peak_mb"  # key in a step's figures


def trimmed_rss_mb() -> float:
    """Return the resident memory of this process, in MB (1e6 bytes), after returning free memory to the system.

    glibc keeps the holes between blocks, and batches of changing lengths leave more of them at each step. Returning
    them costs time, because they are allocated again: so it is done only if they may amount to `_SLACK_MB`.
    """
    global _level_mb
    resident = float(psutil.Process().memory_info().rss) / _MB
    if _trim is not None and resident > _level_mb + _SLACK_MB:
        _trim(0)
        resident = _level_mb = float(psutil.Process().memory_info().rss) / _MB
    return resident


def peak_rss_mb() -> float:
    """Return the peak resident memory of this process, in MB (1e6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) * (1 if sys.platform == "darwin" else 1024) / _MB


def device_memory(device: torch.device) -> dict[str, float]:
    """Return the peak memory that torch reserved on a GPU since `forget_peak`, in MB (1e6 bytes); empty elsewhere."""
    if device.type != "cuda":
        return {}
    return {GPU_PEAK: float(torch.cuda.max_memory_reserved(device)) / _MB}


def forget_peak(device: str) -> None:
    """Begin a new peak of `device_memory`: this process may have done other work on the GPU before."""
    if torch.device(device).type == "cuda":
        release_memory()
        torch.cuda.reset_peak_memory_stats(device)


def kernel_oom_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory since boot; -1 if it does not say.

    A killed process cannot say why it ended, but the next one can see that the number has risen.
    """
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return -1
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), -1)
