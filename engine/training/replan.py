"""Changes the epochs of a run that has not reached its end; the steps done stay unchanged. No model library.

The schedule follows only from configuration and step, so the change becomes part of the configuration, with the step
from which it holds. On a CPU, two runs of one configuration still end with the same bytes, whether it changed midway
or not. On a GPU its speed decides how many answers an evaluation samples, and these decide which step is the best.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import TrainingError, UsageError
from engine.jobs.liveness import mark_lost_jobs
from engine.records.run import Run, TrainingConfig
from engine.training.checkpoints import CHECKPOINTS, newest_checkpoint
from engine.training.schedule import Schedule
from engine.wording import counted

if TYPE_CHECKING:
    from engine.project import Project


def can_resume(found: TrainingConfig, config: TrainingConfig, step: int) -> bool:
    """Whether a run with `config` can resume from a checkpoint made at `step` with the configuration `found`.

    Before the first step, any number of epochs can still be planned.
    """
    later = config.replanned[len(found.replanned) :]
    before = replace(config, replanned=config.replanned[: len(found.replanned)])
    if not step:
        before = replace(before, epochs=found.epochs)
    return found == before and all(since >= step for since, _epochs in later)


def replan(project: "Project", run: Run, epochs: float) -> Run:
    """Give the first stage of `run` this many epochs in total, from its newest checkpoint on; return the changed run.

    Raises `TrainingError` if a training is active or the stage is over, `UsageError` if the epochs are done already.
    """
    mark_lost_jobs(project)
    if training := [job for job in project.jobs.live() if job.stage == "run"]:
        raise TrainingError(
            f"Cannot change the epochs of run {run.id}: a training is active.",
            f"Job {training[0].id} is {training[0].state}.",
            f"Stop it first: distill-tui jobs stop {training[0].id}",
        )
    dataset = next(one for one in project.datasets.all() if one.sha256 == run.dataset_sha256)
    config = run.config
    checkpoint = newest_checkpoint(project.folder / run.folder / CHECKPOINTS, lambda _note: None)
    step = int(checkpoint.name.removeprefix("step-")) if checkpoint is not None else 0
    lengths = (1,) * dataset.train
    planned = Schedule(lengths, config.batch_rows, config.epochs, config.seed, config.replanned)
    if run.state == "done" or step >= planned.steps:
        raise TrainingError(
            f"Run {run.id} is past its first stage.",
            f"It is {run.state} at step {step}; that stage has {planned.steps}.",
            f"Train a new run that starts from it: distill-tui train --initial-run {run.id}",
        )
    replanned = (*config.replanned, (step, epochs))
    changed = replace(config, replanned=replanned) if step else replace(config, epochs=epochs)
    if Schedule(lengths, config.batch_rows, changed.epochs, config.seed, changed.replanned).steps <= step:
        raise UsageError(
            f"Run {run.id} has already trained for {counted(epochs, 'epoch', 'g')}.",
            f"It is at step {step}, epoch {planned.epoch_at(step):.2f}.",
            "Pass a higher --epochs.",
        )
    project.runs.update(run.id, config=changed)
    return project.runs.get(run.id)
