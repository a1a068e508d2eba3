"""A few real steps on the longest rows before a run, to predict what the run will take on this machine.

They are steps of a real trainer, only on the longest rows: the terms, the stages and the micro-batch, halved if it does
not fit, are those of the run. Only the figures are kept. A separate job.
"""

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.jobs.context import JobContext
from engine.jobs.protocol import Note, Progress
from engine.model.local_model import LocalModel
from engine.model.memory import releasing
from engine.records.dataset import Dataset, DatasetRow
from engine.records.options import CalibrateOptions
from engine.records.run import Calibration, CurvePoint, TrainingConfig
from engine.training.brief import Brief, ask_base, device_of, load_for, make_trainer
from engine.training.costs import row_tokens
from engine.training.facts import read_basis
from engine.training.hooks import StepMetrics
from engine.training.job import brief_of
from engine.training.memory import GPU_PEAK, device_memory, peak_rss_mb
from engine.training.outlook import outlook_text
from engine.training.ranks import ALONE
from engine.training.validation import Measurement
from engine.training.work import StepsWork, work_of
from engine.wording import counted

_STEPS = 3  # of the first stage, at least; the first step of each stage is a warm-up
_SECOND_STAGE_STEPS = 2
_VALIDATION_ROWS = 4


def run(context: JobContext, options: CalibrateOptions) -> None:
    """Measure the configuration of `options` and store the figures. Raises what a training raises."""
    project = context.project
    dataset = project.datasets.get(options.dataset_sha256)
    with (
        context.hold_device(device_of(options.config.device, 0, 1)),
        releasing(),
        tempfile.TemporaryDirectory(dir=context.folder) as folder,
    ):
        found = _measure(context, options.config, dataset, Path(folder))
    project.settings.write_calibration(found)
    if found.config.micro_batch_rows < options.config.micro_batch_rows:
        context.emit(Note(f"Memory holds {counted(found.config.micro_batch_rows, 'row')} per pass."))
    for line in outlook_text(found.config, read_basis(project, dataset.sha256)).splitlines():
        context.emit(Note(line))


def shortened(config: TrainingConfig, dataset: Dataset) -> tuple[TrainingConfig, Dataset]:
    """Return the configuration for a few steps, and the longest rows to make them from."""
    second = config.on_policy_batch_rows if config.on_policy_steps else 0
    train = _longest(dataset.split("train"), max(config.batch_rows, second), own_first=bool(second))
    validation = _longest(dataset.split("validation"), _VALIDATION_ROWS, own_first=False)
    steps = math.ceil(len(train) / config.batch_rows)  # enough to read every row, including the longest pass
    few = replace(
        config,
        epochs=max(_STEPS, steps) / steps if config.last_epochs else 0.0,
        replanned=(),
        evaluations=1,
        on_policy_steps=min(config.on_policy_steps, _SECOND_STAGE_STEPS),
        checkpoint_every_s=math.inf,
        initial_run_id=None,
    )
    return few, replace(dataset, rows=(*train, *validation))


def _longest(rows: Sequence[DatasetRow], count: int, *, own_first: bool) -> list[DatasetRow]:
    def order(row: DatasetRow) -> tuple[bool, int]:
        foreign = own_first and row.edited_from < len(row.completion_ids)  # the second stage would not ask it
        return foreign, -len(row.question_ids) - len(row.completion_ids)

    return sorted(rows, key=order)[:count]


def _measure(context: JobContext, config: TrainingConfig, dataset: Dataset, folder: Path) -> Calibration:
    few, longest = shortened(config, dataset)
    brief = replace(brief_of(context.project, few, longest, folder), caches=str(folder / "caches"))
    context.emit(Progress(0, 0, f"loading {config.loaded_base}"))
    local, _ = load_for(brief, context.project.home, ALONE)
    pace, micro_batch_rows = _steps(context, brief, local)
    tokens = row_tokens(brief.train, read_basis(context.project, dataset.sha256).tokens.prompt)
    on_gpu = local.device.type != "cpu"
    work = work_of(few, len(brief.train), len(brief.validation), tokens, on_gpu=on_gpu)
    first, second = pace.seconds[: work.first_steps], pace.seconds[work.first_steps :]
    return Calibration(
        config=replace(config, micro_batch_rows=min(config.micro_batch_rows, micro_batch_rows)),
        dataset_sha256=dataset.sha256,
        device=str(local.device),
        dtype=str(local.dtype).removeprefix("torch."),
        first_s=_seconds_per_work(first, work.first_step),
        second_s=_seconds_per_work(second, work.second_step),
        memory_mb=_peak_mb(local),
        after_run=max((one.id for one in context.project.runs.all()), default=0),
    )


def _seconds_per_work(seconds: Sequence[float], work: StepsWork) -> float | None:
    """Return the seconds per unit of work of a stage's steps, without the first one if there are others."""
    begin = min(1, max(0, len(seconds) - 1))
    return sum(seconds[begin:]) / work.of(begin, len(seconds)) if seconds else None


def _steps(context: JobContext, brief: Brief, local: LocalModel) -> tuple["_Pace", int]:
    def on_rows(done: int, total: int, what: str) -> None:
        context.emit(Progress(done, total, what))
        context.checkpoint()

    pace = _Pace(context)
    trainer = make_trainer(brief, local, ask_base(brief, local, ALONE, on_rows), pace, ALONE)
    trainer.run()
    return pace, trainer.state.micro_batch_rows


def _peak_mb(local: LocalModel) -> float:
    return device_memory(local.device).get(GPU_PEAK, peak_rss_mb())


@dataclass
class _Pace:
    """Hooks that time every step, without evaluations."""

    context: JobContext
    seconds: list[float] = field(default_factory=list)
    _since: float = 0.0

    def on_step(self, metrics: StepMetrics) -> None:
        self.seconds.append(time.monotonic() - self._since)
        self.context.emit(Progress(metrics.step, metrics.steps, "steps of the longest rows", metrics.seconds_left))

    def on_validation(self, step: int, steps: int) -> None: ...

    def on_point(self, point: CurvePoint, measured: Measurement | None) -> None: ...

    def on_saved(self, step: int) -> None: ...

    def on_note(self, text: str) -> None:
        self.context.emit(Note(text))

    def save_first(self) -> bool:
        return False

    def rest(self) -> None:
        self.context.checkpoint()
        self._since = time.monotonic()  # the last hook called before a step

    def end_early(self) -> bool:
        return False
