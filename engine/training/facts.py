"""What presets and estimates rest on: a dataset's rows, the base's shapes, earlier runs, the memory that is free now.

No model library: what torch alone could tell (whether a processor computes in bfloat16) is taken at its dearest.
"""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.model.shapes import Shapes, find_shapes
from engine.records.dataset import Dataset, DatasetSummary
from engine.records.run import Calibration, Run, TrainingConfig
from engine.training.costs import RowTokens, row_tokens
from engine.training.peak import Facts

if TYPE_CHECKING:
    from engine.project import Project


@dataclass(frozen=True, slots=True)
class FreeMemory:
    """What is free on this machine, in MB (1e6 bytes); of GPUs by their index."""

    processor_mb: float
    gpus_mb: tuple[float, ...] = ()

    def of(self, device: str) -> tuple[float | None, bool]:
        """What is free on `device`, None where nothing tells; and whether it is a GPU.

        `auto` is the first NVIDIA GPU, else the processor.
        """
        found = re.fullmatch(r"auto|cuda(?::(\d+))?", device)
        if found is None or (device == "auto" and not self.gpus_mb):
            return self.processor_mb, False
        index = int(found[1] or 0)
        return (self.gpus_mb[index] if index < len(self.gpus_mb) else None), True


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known before a training."""

    dataset: DatasetSummary
    datasets: tuple[DatasetSummary, ...] = ()  # all of them: earlier runs may have had another
    runs: tuple[Run, ...] = ()  # the oldest first
    shapes: Shapes | None = None  # None: the base is not on this machine yet
    tokens: RowTokens = field(default_factory=RowTokens)
    own_rows: int = 0  # training rows whose whole answer is the prompted base's
    free: FreeMemory | None = None  # None: nothing tells
    calibration: Calibration | None = None  # the last one
    shards: int = 1  # processes that hold the base's layers between them

    def dataset_of(self, run: Run) -> DatasetSummary:
        """What a run was trained on."""
        return next((one for one in self.datasets if one.sha256 == run.dataset_sha256), self.dataset)

    def facts(self, config: TrainingConfig) -> Facts:
        """The facts for the device and the number type of `config`."""
        free_mb, on_gpu = self.free.of(config.device) if self.free is not None else (None, False)
        return Facts(
            rows=self.dataset.train,
            tokens=self.tokens,
            own_rows=self.own_rows,
            shapes=self.shapes,
            free_mb=free_mb,
            number_bytes=number_bytes(config, on_gpu=on_gpu),
            on_gpu=on_gpu,
            shards=self.shards,
        )


def read_basis(project: "Project", dataset_sha256: str = "") -> Basis:
    """Read it for one dataset, the newest unless named. Raises `NotFoundError` where there is none."""
    datasets = project.datasets.all()
    named = (one for one in datasets if one.sha256 == dataset_sha256)
    dataset = next(named, None) or project.datasets.require_latest()
    whole = project.datasets.get(dataset.sha256)
    rows = whole.split("train")
    return Basis(
        dataset=dataset,
        datasets=datasets,
        runs=project.runs.all(),
        shapes=find_shapes(dataset.base, project.home),
        tokens=row_tokens(rows, _prompt_tokens(project, whole)),
        own_rows=sum(row.edited_from == len(row.completion_ids) for row in rows),
        free=free_memory(),
        calibration=project.settings.calibration(),
    )


def number_bytes(config: TrainingConfig, *, on_gpu: bool) -> int:
    """Of one weight in memory; at most."""
    return 4 if config.dtype == "float32" or (config.dtype == "auto" and not on_gpu) else 2


def free_memory() -> FreeMemory:
    """Look at what is free now."""
    import psutil  # the terminal's panes import this module, and can do without

    return FreeMemory(psutil.virtual_memory().available / 1e6, _free_gpus_mb())


def _free_gpus_mb() -> tuple[float, ...]:
    import pynvml

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(float(pynvml.nvmlDeviceGetMemoryInfo(handle).free) / 1e6 for handle in handles)
    except pynvml.NVMLError:
        return ()


def _prompt_tokens(project: "Project", dataset: Dataset) -> int:
    """Of its longest prompt, by the length alone: a tokenizer would take a second to load."""
    from engine.economics.tokens import estimate_prompt_tokens

    prompts = (project.prompts.by_sha256(dataset.prompt_sha256), *(taught.prompt for taught in dataset.others))
    return max(estimate_prompt_tokens(prompt).tokens for prompt in prompts)
