"""The NVIDIA GPUs that this process may use, named as CUDA names them, from the driver. No model library.

CUDA counts only what `CUDA_VISIBLE_DEVICES` lists, in that order; the driver counts all, by their place on the bus.
"""

import os
import re
from collections.abc import Collection
from ctypes.util import find_library
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ModelError

if TYPE_CHECKING:
    from ctypes import c_void_p

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_ORDER = "CUDA_DEVICE_ORDER"
_PART = "MIG-"  # a part of a card: a separate device, which is not among the cards


@dataclass(frozen=True, slots=True)
class Gpu:
    """What the driver reports about one GPU."""

    free_mb: float  # 1e6 bytes
    computes_bfloat16: bool = True
    name: str = ""


def computes_bfloat16(generation: int) -> bool:
    """Whether a GPU computes bfloat16, by its major compute capability: older ones than Ampere (8) emulate it."""
    return generation >= 8


def count_as_the_driver() -> None:
    """Make CUDA count the GPUs in the order of `nvidia-smi`. Call this before the process uses CUDA."""
    os.environ.setdefault(_ORDER, "PCI_BUS_ID")


def visible_handles() -> "list[c_void_p]":
    """Return the driver library's handles of the visible GPUs, in CUDA's order. Raises `pynvml.NVMLError`."""
    import pynvml

    pynvml.nvmlInit()
    every = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    entries = _entries()
    if entries is None:
        return every
    by_uuid = {str(pynvml.nvmlDeviceGetUUID(handle)): handle for handle in every}
    found = []
    for entry in entries:
        if entry.isdecimal():
            named = every[int(entry) : int(entry) + 1]
        elif entry.startswith(_PART):
            named = [pynvml.nvmlDeviceGetHandleByUUID(entry)]
        else:  # the beginning of a UUID is enough
            named = [handle for uuid, handle in by_uuid.items() if entry and uuid.startswith(entry)]
        if len(named) != 1:
            break  # like CUDA: entries after one that names no card are ignored
        found += named
    return found


def visible_gpus() -> tuple[Gpu, ...]:
    """Return the visible GPUs, `cuda:0` first; empty if there are none, no driver answers, or torch cannot use them."""
    import pynvml

    found = []
    try:
        for handle in () if why_gpus_unusable() else visible_handles():
            free_mb = float(pynvml.nvmlDeviceGetMemoryInfo(handle).free) / 1e6
            major, _minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
            name = str(pynvml.nvmlDeviceGetName(handle))
            found.append(Gpu(free_mb, computes_bfloat16(int(major)), name))
    except pynvml.NVMLError:
        return ()
    return tuple(found)


def require_device(device: str) -> None:
    """Raise `ModelError` if a GPU is named, as `cuda` or `cuda:1`, that this process cannot use.

    Other devices are known to torch alone; so are the GPUs of a torch that was built for AMD's, and those of a
    container that has CUDA's driver without the library that lists them.
    """
    index = _index(device)
    if index is None or index < (seen := len(visible_gpus())) or _version_of_torch("hip") or _only_cuda_can_list():
        return
    why = why_gpus_unusable() or f"this machine has {seen or 'none'}"
    raise ModelError(
        "The device is not available.", f"{device} is an NVIDIA GPU, and {why}.", "Choose device cpu or auto."
    )


def _only_cuda_can_list() -> bool:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return find_library("cuda") is not None
    except pynvml.NVMLError:
        return False
    return False


def why_gpus_unusable() -> str:
    """Return why torch cannot use the visible GPUs; empty if it can, or if there are none.

    Torch itself at most logs a warning, and uses the processor. A driver supports every CUDA of its own major version.
    """
    import pynvml

    try:
        if not visible_handles():
            return ""
        known = int(pynvml.nvmlSystemGetCudaDriverVersion_v2())  # 12040 for 12.4
    except pynvml.NVMLError_LibraryNotFound:
        return ""
    except pynvml.NVMLError as error:
        return f"its driver does not answer ({error})"
    wanted = _cuda_of_torch()
    if not wanted:
        return "the installed torch was built without CUDA"
    if known // 1_000 < int(wanted.partition(".")[0]):
        return f"its driver supports CUDA {known // 1_000}.{known % 1_000 // 10}, but this torch needs {wanted}"
    return ""


def _cuda_of_torch() -> str:
    """Return the CUDA that torch was built for, or ""."""
    return _version_of_torch("cuda")


@lru_cache
def _version_of_torch(name: str) -> str:
    """Return the version of `cuda` or `hip` that torch was built for, or "".

    Read from its files, because importing torch takes seconds.
    """
    found = find_spec("torch")
    if found is None or found.origin is None:
        return ""
    words = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    version = re.search(rf"^{name}\b.*'(\d+(?:\.\d+)?)", words, re.MULTILINE)
    return version[1] if version else ""


def held_mb(device: str, pids: Collection[int]) -> dict[int, float]:
    """Return how many MB each process holds on `device`; those that the driver does not report are left out."""
    import pynvml

    try:
        handle = visible_handles()[_index(device) or 0]
        found = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except (pynvml.NVMLError, IndexError):
        return {}
    return {each.pid: each.usedGpuMemory / 1e6 for each in found if each.pid in pids and each.usedGpuMemory}


def card_of(device: str) -> str:
    """Return one name for one card, whichever cards a process may see: `cuda:1` of the cards 4 and 6 is `cuda:6`.

    A device that is not a GPU, or cannot be resolved, keeps its name; `cuda` is the first GPU.
    """
    index, entries = _index(device), _entries()
    if index is None:
        return device
    if entries is None or index >= len(entries):
        return f"cuda:{index}"
    if entries[index].isdecimal():
        return f"cuda:{int(entries[index])}"
    if entries[index].startswith(_PART):
        return f"cuda:{entries[index]}"
    import pynvml

    try:
        return f"cuda:{pynvml.nvmlDeviceGetIndex(visible_handles()[index])}"
    except (pynvml.NVMLError, IndexError):
        return f"cuda:{entries[index]}"


def _index(device: str) -> int | None:
    found = re.fullmatch(r"cuda(?::(\d+))?", device)
    return None if found is None else int(found[1] or 0)


def _entries() -> list[str] | None:
    visible = os.environ.get(_VISIBLE)
    return None if visible is None else [entry.strip() for entry in visible.split(",")]
