"""The disk space of a run, and how to free it once the run is done: its checkpoints go, its adapter stays.

If freeing is interrupted, it leaves checkpoints that no manifest verifies; freeing again removes them.
"""

import shutil
from pathlib import Path

from engine.errors import JobError, StoreError, TrainingError
from engine.jobs.liveness import mark_lost_jobs
from engine.model.adapter_place import adapter_of
from engine.project import Project
from engine.records.options import OPTIONS_OF_KIND
from engine.records.run import Run
from engine.training.checkpoints import CHECKPOINTS
from engine.training.in_use import works_with


def held_mb(folder: Path) -> float:
    """Return the size of all files below this folder, in MB (1e6 bytes). Files that vanish meanwhile count as 0."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return total / 1e6


def free_checkpoints(project: Project, runs: list[Run]) -> float:
    """Remove the checkpoints of these runs and return how many MB that freed; all runs are checked before the first.

    Raises `JobError` while a job is active that may read or write them, `TrainingError` for a run that is not done and
    would resume from them, `NotFoundError` if a run's adapter is gone, and `StoreError` if they cannot be removed.
    """
    mark_lost_jobs(project)
    at_work = [
        job
        for job in project.jobs.live()
        if OPTIONS_OF_KIND[job.kind].reads_checkpoints
        and any(works_with(project, job, run, at_work=True) for run in runs)
    ]
    if at_work:
        raise JobError(
            "Cannot free checkpoints: a job may need them.",
            f"Job {at_work[0].id} ({at_work[0].kind}) is {at_work[0].state}.",
            f"Wait for it to end, or stop it: distill-tui jobs stop {at_work[0].id}",
        )
    for run in runs:
        if run.state != "done":
            raise TrainingError(
                f"Cannot free the checkpoints of run {run.id}: it is not done.",
                f"It is {run.state} at step {run.step:,} of {run.steps:,}, and needs its checkpoints to resume.",
                f"Finish it first: distill-tui train --run {run.id}",
            )
        adapter_of(project.folder, run)
        if not (project.folder / run.folder / CHECKPOINTS).resolve().is_relative_to(project.folder.resolve()):
            raise StoreError(
                f"The files of run {run.id} are outside the project.",
                f"{project.folder / run.folder} leads to another folder.",
                "Remove them there yourself.",
            )
    freed = 0.0
    for run in runs:
        folder = project.folder / run.folder / CHECKPOINTS
        before = held_mb(folder)
        try:
            if folder.is_dir():
                shutil.rmtree(folder)
        except OSError as error:
            raise StoreError(
                f"Some checkpoints of run {run.id} could not be removed.",
                f"{error.filename or folder}: {error.strerror or error}.",
                "Check the permissions, then free them again.",
            ) from error
        freed += before
    return freed
