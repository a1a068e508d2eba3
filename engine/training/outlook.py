"""What a training will take, before it is started: steps, time, memory and disk, each with where the figure is from.

Time and memory are those of earlier runs of the same base; where there is none they stay unknown. Steps follow from the
configuration, disk from the shapes of the base's layers. No model library.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import NotFoundError
from engine.model.shapes import Shapes, find_shapes
from engine.records.dataset import DatasetSummary
from engine.records.run import Run, TrainingConfig
from engine.training.schedule import Schedule

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


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """What one training will take; None where nothing was measured yet. `like` is the run that was measured."""

    steps: int
    seconds: float | None
    memory_mb: float | None
    disk_mb: float | None
    like: Run | None


def read_basis(project: "Project") -> Basis:
    """Read it for the newest dataset. Raises `NotFoundError` where there is none."""
    dataset = project.datasets.latest()
    if dataset is None:
        raise NotFoundError("There is no dataset to train on.", "", "Freeze one: distill-tui curate freeze")
    return Basis(
        dataset=dataset,
        runs=project.runs.all(),
        answer_tokens=project.examples.mean_answer_tokens(),
        shapes=find_shapes(dataset.base, project.home),
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
        memory_mb=like.peak_rss_mb if like is not None and like.peak_rss_mb > 0 else None,
        disk_mb=_disk_mb(config, basis),
        like=like,
    )


def _like(config: TrainingConfig, runs: Sequence[Run]) -> Run | None:
    """The newest run of one stage, on the same base, device and number type, that made a step; its objective first."""
    found = [
        run
        for run in runs
        if (run.config.base, run.config.device, run.config.dtype) == (config.base, config.device, config.dtype)
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
