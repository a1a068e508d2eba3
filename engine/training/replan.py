"""Other epochs for a run that is not at its end: what is behind stays as it was. No model library.

The schedule follows from configuration and step alone, so the change is part of the configuration: with the step from
which on it holds. Two runs of one configuration still end with the same bytes, changed in the middle or from the start,
on a processor: a GPU's pace decides how many answers an evaluation samples, and these which step is the best.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import TrainingError, UsageError
from engine.jobs.liveness import reap
from engine.records.run import Run, TrainingConfig
from engine.training.checkpoints import CHECKPOINTS, newest_checkpoint
from engine.training.schedule import Schedule

if TYPE_CHECKING:
    from engine.project import Project


def goes_on(found: TrainingConfig, config: TrainingConfig, step: int) -> bool:
    """Whether a checkpoint that a run made at `step` under `found` is one of a run under `config`.

    Before the first step any number of epochs may still be planned.
    """
    later = config.replanned[len(found.replanned) :]
    before = replace(config, replanned=config.replanned[: len(found.replanned)])
    if not step:
        before = replace(before, epochs=found.epochs)
    return found == before and all(since >= step for since, _epochs in later)


def replan(project: "Project", run: Run, epochs: float) -> Run:
    """Let the first stage of `run` have so many epochs in all, from its newest checkpoint on; the run as changed.

    Raises `TrainingError` for a run that trains now or is at its end, `UsageError` where the epochs are behind already.
    """
    reap(project)
    if training := [job for job in project.jobs.live() if job.stage == "run"]:
        raise TrainingError(
            "A training is under way.",
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
            f"It is {run.state} at step {step}; the stage has {planned.steps}.",
            f"Train a new run that starts from it: distill-tui train --initial-run {run.id}",
        )
    replanned = (*config.replanned, (step, epochs))
    changed = replace(config, replanned=replanned) if step else replace(config, epochs=epochs)
    if Schedule(lengths, config.batch_rows, changed.epochs, config.seed, changed.replanned).steps <= step:
        raise UsageError(
            f"Run {run.id} has more than {epochs:g} epochs behind it.",
            f"It stands at step {step}, epoch {planned.epoch_at(step):.2f}.",
            "Give more epochs.",
        )
    project.runs.update(run.id, config=changed)
    return project.runs.get(run.id)
