"""The facts for presets and estimates: a dataset's rows, the base's shapes, earlier runs, the memory that will be free.

No model library: if only torch could tell (whether a CPU computes in bfloat16), the most expensive case is assumed.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.gpus import Gpu, held_mb, visible_gpus
from engine.jobs.devices import held_by
from engine.machine import free_memory_bytes
from engine.model.shapes import Shapes, find_shapes
from engine.records.dataset import DatasetSummary
from engine.records.run import Calibration, Run, TrainingConfig
from engine.training.costs import RowTokens, longest_prompt_tokens, row_tokens
from engine.training.peak import TrainingFacts

if TYPE_CHECKING:
    from engine.paths import Home
    from engine.project import Project


@dataclass(frozen=True, slots=True)
class HeldMemory:
    """The memory of a device that its current job holds, and releases before another job starts there."""

    device: str  # "cpu", "cuda:0"
    mb: float
    holder: str


@dataclass(frozen=True, slots=True)
class FreeMemory:
    """The free memory of this machine, in MB (1e6 bytes), and what jobs will release on each device."""

    processor_mb: float
    gpus: tuple[Gpu, ...] = ()  # as CUDA counts them
    held: tuple[HeldMemory, ...] = ()

    def of(self, device: str) -> tuple[float | None, bool]:
        """Return what a job will find free on `device`, None if unknown; and whether it is a GPU.

        `auto` is the first NVIDIA GPU, else the CPU. Jobs of one home wait for each other: what the previous one holds
        will be free.
        """
        index, held = self._gpu(device), self.held_on(device)
        now = self.processor_mb if index is None else self.gpus[index].free_mb if index < len(self.gpus) else None
        return (None if now is None else now + (held.mb if held is not None else 0.0)), index is not None

    def computes_bfloat16(self, device: str) -> bool:
        """Whether `device` is a GPU that computes in bfloat16; an unknown GPU is assumed to."""
        index = self._gpu(device)
        return index is not None and (index >= len(self.gpus) or self.gpus[index].computes_bfloat16)

    def held_on(self, device: str) -> HeldMemory | None:
        """Return the memory that will be released there before another job starts."""
        index = self._gpu(device)
        name = "cpu" if index is None else f"cuda:{index}"
        return next((each for each in self.held if each.device == name), None)

    def _gpu(self, device: str) -> int | None:
        found = re.fullmatch(r"auto|cuda(?::(\d+))?", device)
        if found is None or (device == "auto" and not self.gpus):
            return None
        return int(found[1] or 0)


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known before a training."""

    dataset: DatasetSummary
    datasets: tuple[DatasetSummary, ...] = ()  # all of them: earlier runs may have used another
    runs: tuple[Run, ...] = ()  # oldest first
    shapes: Shapes | None = None  # None: the base is not on this machine yet
    tokens: RowTokens = field(default_factory=RowTokens)
    own_rows: int = 0  # training rows whose whole answer is the prompted base's
    scored_train: int = 0  # tokens of training answers with a teacher distribution
    scored_validation: int = 0
    free: FreeMemory | None = None  # None: not known
    calibration: Calibration | None = None  # the last one
    shards: int = 1  # processes that share the base's layers
    local_processes: int = 1  # processes of the run on this machine: on the CPU they share its memory

    def dataset_of(self, run: Run) -> DatasetSummary:
        """Return the dataset that a run was trained on."""
        return next((one for one in self.datasets if one.sha256 == run.dataset_sha256), self.dataset)

    def facts(self, config: TrainingConfig) -> TrainingFacts:
        """Return the facts for the device and dtype of `config`."""
        free_mb, on_gpu = self.free.of(config.device) if self.free is not None else (None, False)
        narrow = self.free is not None and self.free.computes_bfloat16(config.device)
        held = self.free.held_on(config.device) if self.free is not None else None
        sharing = 1 if on_gpu else self.local_processes
        notes = [f"once {held.holder} releases its memory"] if held is not None else []
        notes += [f"for each of {sharing} processes"] if sharing > 1 else []
        return TrainingFacts(
            rows=self.dataset.train,
            tokens=self.tokens,
            own_rows=self.own_rows,
            scored_tokens=self.scored_train,
            shapes=self.shapes,
            free_mb=None if free_mb is None else free_mb / sharing,
            free_note=", ".join(notes),
            number_bytes=number_bytes(config, narrow=narrow),
            on_gpu=on_gpu,
            shards=self.shards,
        )


def read_basis(project: "Project", dataset_sha256: str = "") -> Basis:
    """Read the basis for one dataset, by default the newest. Raises `NotFoundError` if there is none."""
    datasets = project.datasets.all()
    named = (one for one in datasets if one.sha256 == dataset_sha256)
    dataset = next(named, None) or project.datasets.require_latest()
    whole = project.datasets.get(dataset.sha256)
    rows = whole.split("train")
    prompts = (project.prompts.by_sha256(whole.prompt_sha256), *(other.prompt for other in whole.others))
    return Basis(
        dataset=dataset,
        datasets=datasets,
        runs=project.runs.all(),
        shapes=find_shapes(dataset.base, project.home),
        tokens=row_tokens(rows, longest_prompt_tokens(prompts)),
        own_rows=sum(row.edited_from == len(row.completion_ids) for row in rows),
        scored_train=sum(row.edited_from for row in rows),
        scored_validation=sum(row.edited_from for row in whole.split("validation")),
        free=free_memory(project.home),
        calibration=project.settings.calibration(),
    )


def number_bytes(config: TrainingConfig, *, narrow: bool) -> int:
    """Return the most bytes that one weight takes in memory; `narrow`: dtype `auto` means bfloat16."""
    return 4 if config.dtype == "float32" or (config.dtype == "auto" and not narrow) else 2


def free_memory(home: "Home") -> FreeMemory:
    """Return the memory that is free now, and what jobs of this home hold."""
    gpus = visible_gpus()
    devices = ("cpu", *(f"cuda:{index}" for index in range(len(gpus))))
    held = tuple(each for device in devices if (each := _held(home, device)) is not None)
    return FreeMemory(free_memory_bytes() / 1e6, gpus, held)


def _held(home: "Home", device: str) -> HeldMemory | None:
    """Return what a job of another process holds on `device`, children included; None if nothing."""
    import psutil  # the terminal's panes import this module but do not need psutil

    holder = held_by(home.state, device)
    if holder is None or holder.pid in (0, os.getpid()):
        return None
    held: dict[int, float] = {}  # MB by process
    with suppress(psutil.Error):  # it just ended: it holds nothing
        first = psutil.Process(holder.pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.Error):
                memory = process.memory_info()
                # Mapped files, such as weights, already count as available.
                held[process.pid] = (memory.rss - getattr(memory, "shared", 0)) / 1e6
    if device != "cpu":
        held = held_mb(device, held.keys())
    mb = sum(held.values())
    return HeldMemory(device, mb, str(holder)) if mb > 0 else None
