"""What a run holds on the disk, and what of it is given back when it is done: its checkpoints. Its adapter stays.

Cut short, a freeing leaves checkpoints that no manifest vouches for; the next one removes them.
"""

import shutil
from pathlib import Path

from engine.errors import JobError, StoreError, TrainingError
from engine.jobs.liveness import reap
from engine.model.adapter_place import adapter_of
from engine.project import Project
from engine.records.options import OPTIONS_OF_KIND
from engine.records.run import Run
from engine.training.checkpoints import CHECKPOINTS


def held_mb(folder: Path) -> float:
    """What the files below this folder hold; of 1e6 bytes. What vanishes meanwhile holds nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return total / 1e6


def free_checkpoints(project: Project, runs: list[Run]) -> float:
    """Remove the checkpoints of these runs and return how many MB that gave back; all are looked at before the first.

    Raises `JobError` while a job is at work that may read or write them, `TrainingError` for a run that is not done,
    which would go on from them, `NotFoundError` for one whose adapter is gone, and `StoreError` where the disk refuses.
    """
    reap(project)
    at_work = [job for job in project.jobs.live() if OPTIONS_OF_KIND[job.kind].reads_checkpoints]
    if at_work:
        raise JobError(
            "A job is at work that may need checkpoints.",
            f"Job {at_work[0].id} ({at_work[0].kind}) is {at_work[0].state}.",
            f"Wait for its end, or stop it: distill-tui jobs stop {at_work[0].id}",
        )
    for run in runs:
        if run.state != "done":
            raise TrainingError(
                f"Run {run.id} is not done.",
                f"It is {run.state} at step {run.step:,} of {run.steps:,}, and goes on from its checkpoints.",
                f"Train it to its end: distill-tui train --run {run.id}",
            )
        adapter_of(project.folder, run)
        if not (project.folder / run.folder / CHECKPOINTS).resolve().is_relative_to(project.folder.resolve()):
            raise StoreError(
                f"The files of run {run.id} lie outside the project.",
                f"{project.folder / run.folder} leads elsewhere.",
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
                f"The checkpoints of run {run.id} could not be removed whole.",
                f"{error.filename or folder}: {error.strerror or error}.",
                "Check the permissions, then free it again.",
            ) from error
        freed += before
    return freed
