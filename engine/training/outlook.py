"""What a training will take, before it is started: steps, time, memory and disk, each with where the figure is from.

Time and memory are those of earlier runs of the same base. Where there is none, time stays unknown and memory is
reckoned as presets do. Steps follow from the configuration, disk from the shapes of the base's layers. A run keeps what
was estimated, so that the error can be told. No model library.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.model.shapes import Shapes, find_shapes
from engine.records.dataset import DatasetSummary
from engine.records.run import Estimated, Run, TrainingConfig
from engine.training.facts import free_memory, longest_row_tokens, number_bytes
from engine.training.presets import Facts, memory_mb
from engine.training.schedule import Schedule
from engine.wording import duration, size

if TYPE_CHECKING:
    from engine.project import Project

_CHECKPOINTS = 3  # the two newest and the best
_FLOAT_BYTES = 4
_SMALL_VOCABULARY = 1 << 16


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known before a training."""

    dataset: DatasetSummary
    runs: tuple[Run, ...]  # the oldest first
    answer_tokens: float | None  # a mean answer's
    shapes: Shapes | None  # None: the base is not on this machine yet
    longest_row_tokens: int = 0  # question and answer; 0: not known
    auto_is_gpu: bool = False  # what the device `auto` means here


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """What one training will take; None where nothing was measured yet. `like` is the run that was measured."""

    steps: int
    seconds: float | None
    memory_mb: float | None
    disk_mb: float | None
    like: Run | None

    @property
    def figures(self) -> Estimated:
        """What a run keeps of it."""
        return Estimated(self.seconds, self.memory_mb, self.disk_mb)


def read_basis(project: "Project", dataset_sha256: str = "") -> Basis:
    """Read it for one dataset, the newest unless named. Raises `NotFoundError` where there is none."""
    named = (one for one in project.datasets.all() if one.sha256 == dataset_sha256)
    dataset = next(named, None) or project.datasets.require_latest()
    return Basis(
        dataset=dataset,
        runs=project.runs.all(),
        answer_tokens=project.examples.mean_answer_tokens(),
        shapes=find_shapes(dataset.base, project.home),
        longest_row_tokens=longest_row_tokens(project, dataset.sha256),
        auto_is_gpu=free_memory("auto")[1],
    )


def estimate_training(config: TrainingConfig, basis: Basis) -> TrainingEstimate:
    """The estimate for one configuration. Pure."""
    rows = basis.dataset.train
    # Lengths decide which rows stand together, never how many steps there are.
    steps = Schedule((1,) * rows, config.batch_rows, config.epochs, config.seed).steps if rows else 0
    like = _like(config, basis.runs)
    seconds = None
    if like is not None:
        seconds = like.train_s / (like.step * like.config.batch_rows) * steps * config.batch_rows
    steps += config.on_policy_steps
    if config.on_policy_steps:
        seconds = None  # its steps sample, score and train: no pace of others holds for them
    return TrainingEstimate(
        steps=steps,
        seconds=seconds,
        memory_mb=like.peak_rss_mb if like is not None and like.peak_rss_mb > 0 else _memory_mb(config, basis),
        disk_mb=_disk_mb(config, basis),
        like=like,
    )


def outlook_text(config: TrainingConfig, basis: Basis) -> str:
    """The estimate in words, a line a quantity, each with where it is from."""
    estimate = estimate_training(config, basis)
    stages = f"{basis.dataset.train:,} rows, {config.batch_rows} a step, {config.epochs:g} epochs"
    if config.on_policy_steps:
        stages += f", then {config.on_policy_steps:,} on its own answers"
    disk = "not known before the base is on this machine"
    if estimate.disk_mb is not None:
        disk = f"≈ {size(estimate.disk_mb)}: adapter, three checkpoints, the teacher's distributions"
    lines = (f"{estimate.steps:,} steps: {stages}", _time(estimate, config), _memory(estimate), f"disk    {disk}")
    return "\n".join(lines)


def error_text(run: Run) -> str:
    """How far the estimate was from what the run took, in a sentence; empty where nothing can be compared."""
    if run.estimate is None or run.state != "done":
        return ""
    whole = run.step >= run.steps  # one that ended early was meant to take longer
    in_memory = run.device in ("", "cpu")  # of a graphics card's memory the process's own says nothing
    pairs = (
        ("time", run.estimate.seconds, run.train_s if whole else 0.0, duration),
        ("memory", run.estimate.memory_mb, run.peak_rss_mb if in_memory else 0.0, size),
        ("disk", run.estimate.disk_mb, run.disk_mb, size),
    )
    told = [
        f"{name} {words(estimated)}, took {words(taken)} ({taken / estimated - 1:+.0%})".replace("-", "−")
        for name, estimated, taken, words in pairs
        if estimated and taken
    ]
    return f"Estimated {'; '.join(told)}." if told else ""


def _time(estimate: TrainingEstimate, config: TrainingConfig) -> str:
    like = estimate.like
    if estimate.seconds is None or like is None:
        return f"time    not known: no run of this base on {config.device} ({config.dtype}) was measured yet"
    where = " ".join(part for part in (like.device, like.dtype) if part)
    return f"time    ≈ {duration(estimate.seconds)}: as fast a row as run {like.id} on {where}"


def _memory(estimate: TrainingEstimate) -> str:
    if estimate.memory_mb is None:
        return "memory  not known before the base is on this machine"
    like = estimate.like
    why = "reckoned from the base's shapes" if like is None else f"what run {like.id} took at most"
    return f"memory  ≈ {size(estimate.memory_mb)}: {why}"


def _memory_mb(config: TrainingConfig, basis: Basis) -> float | None:
    if not basis.longest_row_tokens:
        return None
    on_gpu = basis.auto_is_gpu if config.device == "auto" else config.device != "cpu"
    width = number_bytes(config, on_gpu=on_gpu)
    return memory_mb(config, Facts(basis.dataset.train, basis.longest_row_tokens, basis.shapes, None, width))


def _like(config: TrainingConfig, runs: Sequence[Run]) -> Run | None:
    """The newest run of one stage, on the same base, device and number type, that made a step; its objective first."""
    found = [
        run
        for run in runs
        if run.config.held_base == config.held_base
        and (run.config.device, run.config.dtype) == (config.device, config.dtype)
        and not run.config.on_policy_steps
        and run.step > 0
        and run.train_s > 0
    ]
    return max(found, key=lambda run: (run.config.objective == config.objective, run.id), default=None)


def _disk_mb(config: TrainingConfig, basis: Basis) -> float | None:
    """The adapter, its checkpoints with both moments of every weight, and the teacher's distributions."""
    if basis.shapes is None:
        return None
    adapter = basis.shapes.lora_parameters(config.lora_rank) * _FLOAT_BYTES
    teacher = 0.0
    if config.objective != "cross_entropy" and basis.answer_tokens is not None:
        id_bytes = 2 if basis.shapes.vocabulary <= _SMALL_VOCABULARY else 4
        tokens = math.ceil(basis.answer_tokens) * (basis.dataset.train + basis.dataset.validation)
        teacher = tokens * (min(config.top_k, basis.shapes.vocabulary) * (id_bytes + 2) + 2)
    return (adapter * (1 + 3 * _CHECKPOINTS) + teacher) / 1e6
