"""What this machine gives this process: its processor, cores and memory, within the limits of a container or batch job.

Limits are those of the kernel's control groups, of this process and every group around it, in either version:
https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html. No model library.
"""

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def processor_name() -> str:
    """Return the processor's name; Linux only states it in a file."""
    names = (line.partition(":")[2].strip() for line in _text(_CPUINFO).splitlines() if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def processor_computes_bfloat16() -> bool:
    """Whether the processor computes in bfloat16; without support it is emulated, and slower than float32."""
    flags = _text(_CPUINFO)
    return "avx512_bf16" in flags or "amx_bf16" in flags


def usable_cores() -> int:
    """Return how many threads compute fastest: one per core that this process may use.

    Two hyperthreads share one core's multipliers: more threads than cores make matrix products slower.
    """
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [math.ceil(quota) for folder in _groups("cpu") if (quota := _cpus(folder)) is not None]
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed, *quotas))


def total_memory_bytes() -> int:
    """Return the memory that this process and what shares its limits may use in all."""
    import psutil

    limits = [limit for folder in _groups("memory") if (limit := _memory_limit(folder)) is not None]
    return min([int(psutil.virtual_memory().total), *limits])


def free_memory_bytes() -> int:
    """Return the memory that this process can still take."""
    import psutil

    free = [int(psutil.virtual_memory().available)]
    for folder in _groups("memory"):
        limit = _memory_limit(folder)
        used = _number(folder, "memory.current", "memory.usage_in_bytes")
        if limit is not None and used is not None:
            free.append(limit - used + _files_bytes(folder))
    return max(0, min(free))


def _groups(controller: str) -> Iterator[Path]:
    """Iterate over the folders of this process's group and the groups around it, of a controller.

    A container may not see the names of the groups around it: then only the outermost folder is there, and is its own.
    """
    for line in _text(_OWN_GROUPS).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number != "0" and controller not in controllers.split(","):
            continue
        root = _GROUPS if number == "0" else _GROUPS / controller
        own = root / path.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root) and folder.is_dir())


def _memory_limit(folder: Path) -> int | None:
    return _number(folder, "memory.max", "memory.limit_in_bytes")


def _files_bytes(folder: Path) -> int:
    """The pages of files, which the kernel gives up before memory runs out. With those of groups within, if told."""
    stat = dict(line.split() for line in _text(folder / "memory.stat").splitlines() if line.count(" ") == 1)
    kinds = ("inactive_file", "active_file")
    return sum(int(stat.get(f"total_{kind}", stat.get(kind, "0"))) for kind in kinds)


def _cpus(folder: Path) -> float | None:
    """The processors' time per time that a group may use; None if it is not limited."""
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if not period:
        quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


def _number(folder: Path, *names: str) -> int | None:
    """The whole number in the first of these files that is there; None if there is none, or no limit."""
    text = next(filter(None, (_text(folder / name).strip() for name in names)), "")
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
