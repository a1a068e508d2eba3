"""The facts that presets rest on: the newest dataset's rows, the base's shapes, the memory that is free now.

No model library: what torch alone could tell (whether a processor computes in bfloat16) is taken at its dearest.
"""

from typing import TYPE_CHECKING

from engine.model.shapes import find_shapes
from engine.records.run import TrainingConfig
from engine.training.presets import Facts

if TYPE_CHECKING:
    from engine.project import Project


def read_facts(project: "Project", config: TrainingConfig) -> Facts:
    """The facts for the device and the number type of `config`. Raises `NotFoundError` without a dataset."""
    latest = project.datasets.require_latest()
    free_mb, on_gpu = free_memory(config.device)
    return Facts(
        rows=latest.train,
        longest_row_tokens=longest_row_tokens(project, latest.sha256),
        shapes=find_shapes(latest.base, project.home),
        free_mb=free_mb,
        number_bytes=number_bytes(config, on_gpu=on_gpu),
        on_gpu=on_gpu,
    )


def longest_row_tokens(project: "Project", dataset_sha256: str) -> int:
    """Question and answer of the longest training row of a dataset."""
    rows = project.datasets.get(dataset_sha256).split("train")
    return max((len(row.question_ids) + len(row.completion_ids) for row in rows), default=0)


def number_bytes(config: TrainingConfig, *, on_gpu: bool) -> int:
    """Of one weight in memory; at most."""
    return 4 if config.dtype == "float32" or (config.dtype == "auto" and not on_gpu) else 2


def free_memory(device: str) -> tuple[float | None, bool]:
    """What is free on `device` in MB (1e6 bytes), None where nothing tells; and whether it is a GPU.

    `auto` is the first NVIDIA GPU, else the processor.
    """
    if device in ("auto", "cuda") or device.startswith("cuda:"):
        free_mb = _free_gpu_mb(int(device.partition(":")[2] or 0))
        if free_mb is not None or device != "auto":
            return free_mb, True
    import psutil  # the terminal's panes import this module, and can do without

    return psutil.virtual_memory().available / 1e6, False


def _free_gpu_mb(index: int) -> float | None:
    import pynvml

    try:
        pynvml.nvmlInit()
        return float(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(index)).free) / 1e6
    except pynvml.NVMLError:
        return None
