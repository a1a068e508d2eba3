"""The NVIDIA GPUs that this process may use, named as CUDA names them, by the driver's word. No model library.

CUDA counts only what `CUDA_VISIBLE_DEVICES` lists, in its order; the driver counts all, by their place on the bus.
"""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import c_void_p

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_ORDER = "CUDA_DEVICE_ORDER"
_PART = "MIG-"  # of a card: a device of its own, which is not among the cards


@dataclass(frozen=True, slots=True)
class Gpu:
    """What the driver tells of one."""

    free_mb: float  # 1e6 bytes
    computes_bfloat16: bool = True
    name: str = ""


def computes_bfloat16(generation: int) -> bool:
    """By the first number of its compute capability: Ampere (8) was the first that does, older ones emulate it."""
    return generation >= 8


def count_as_the_driver() -> None:
    """Have CUDA, which this process has not begun to use, count the GPUs in the order that `nvidia-smi` does."""
    os.environ.setdefault(_ORDER, "PCI_BUS_ID")


def visible_handles() -> "list[c_void_p]":
    """What the driver's library asks each of them by, in CUDA's order. Raises `pynvml.NVMLError`."""
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
        else:  # the beginning of a name is enough
            named = [handle for uuid, handle in by_uuid.items() if entry and uuid.startswith(entry)]
        if len(named) != 1:
            break  # as CUDA does: what follows an entry that names no card is not seen
        found += named
    return found


def visible_gpus() -> tuple[Gpu, ...]:
    """`cuda:0` first; none where there is none, no driver tells, or torch cannot use them."""
    import pynvml

    found = []
    try:
        for handle in () if unusable() else visible_handles():
            free_mb = float(pynvml.nvmlDeviceGetMemoryInfo(handle).free) / 1e6
            major, _minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
            name = str(pynvml.nvmlDeviceGetName(handle))
            found.append(Gpu(free_mb, computes_bfloat16(int(major)), name))
    except pynvml.NVMLError:
        return ()
    return tuple(found)


def unusable() -> str:
    """Why torch cannot use the GPUs that it would see; empty where it can, and where there are none.

    Torch itself warns in a log at most, and works on the processor. Drivers know every CUDA of their own first number.
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
        return "the torch that is installed was built without CUDA"
    if known // 1_000 < int(wanted.partition(".")[0]):
        return f"its driver knows CUDA {known // 1_000}.{known % 1_000 // 10}, and this torch wants {wanted}"
    return ""


@lru_cache
def _cuda_of_torch() -> str:
    """The CUDA that the installed torch was built for; empty for none. Read from its files: torch takes seconds."""
    found = find_spec("torch")
    if found is None or found.origin is None:
        return ""
    words = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    cuda = re.search(r"^cuda\b.*'(\d+(?:\.\d+)?)'", words, re.MULTILINE)
    return cuda[1] if cuda else ""


def held_mb(device: str, pids: Collection[int]) -> dict[int, float]:
    """What these processes hold on `cuda:0`, say; a driver that does not say how much leaves one out."""
    import pynvml

    try:
        handle = visible_handles()[_index(device) or 0]
        found = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except (pynvml.NVMLError, IndexError):
        return {}
    return {each.pid: each.usedGpuMemory / 1e6 for each in found if each.pid in pids and each.usedGpuMemory}


def card_of(device: str) -> str:
    """One name for one card, whichever of them a process may see: `cuda:1` of the cards 4 and 6 is `cuda:6`.

    What is no GPU, or cannot be told, keeps its name; `cuda` is the first one.
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
