"""Deletes a run: its facts in one transaction, then its files. Its releases, and jobs with their logs, stay.

If it is interrupted between the two, it leaves files that no command reads; deleting the run again removes them.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.economics.stored_outcome import refresh_outcome
from engine.errors import JobError, StoreError, TrainingError
from engine.jobs.liveness import mark_lost_jobs
from engine.project import Project
from engine.records.job import LIVE_STATES, Job
from engine.records.run import Run
from engine.training.freeing import held_mb
from engine.training.in_use import works_with

RUNS = "runs"


@dataclass(frozen=True, slots=True)
class DeletedRun:
    """What was deleted with a run, and what stays."""

    id: int
    evaluations: int
    votes: int
    releases: tuple[Path, ...]  # folders of its releases, which stay
    elsewhere: Path | None  # where its files are, if its folder was a link: these stay too
    freed_mb: float


def delete_run(project: Project, run_id: int, *, force: bool = False) -> DeletedRun:
    """Delete a run, or the remaining files of one that was deleted before.

    Raises `JobError` while a job is using it, `TrainingError` if something else needs it or was made from it, which
    `force` overrides, `NotFoundError`, and `StoreError` if not all of its files can be removed.
    """
    mark_lost_jobs(project)
    evaluations = votes = 0
    releases: tuple[Path, ...] = ()
    if run_id not in project.runs.half_deleted():
        # Within one transaction, no job can start between this check and the deletion.
        with project.transaction():
            run = project.runs.get(run_id)
            _refuse_at_work(project, run)
            stopped, releases = _ended_jobs(project, run), _released(project, run)
            if not force:
                _refuse_needed(project, run, stopped, releases)
            for job in stopped:
                project.jobs.update(job.id, note=f"Run {run.id} was deleted.")
            evaluations = sum(each.run_id == run.id for each in project.evaluations.all())
            votes = project.votes.remove_of_run(run.id)
            project.runs.delete(run.id)
    folder = project.folder / RUNS / str(run_id)
    freed, elsewhere = _remove_files(project, folder, run_id)
    project.runs.mark_files_removed(run_id)
    refresh_outcome(project)
    return DeletedRun(run_id, evaluations, votes, releases, elsewhere, freed)


def _refuse_at_work(project: Project, run: Run) -> None:
    for job in project.jobs.live():
        if works_with(project, job, run, at_work=True):
            raise JobError(
                f"Cannot delete run {run.id}: a job needs it.",
                f"Job {job.id} ({job.kind}) is {job.state}.",
                f"Wait for it to end, or stop it: distill-tui jobs stop {job.id}",
            )


def _refuse_needed(project: Project, run: Run, stopped: list[Job], releases: tuple[Path, ...]) -> None:
    reasons = [f"Job {job.id} ({job.kind}) {job.state_text} and needs it to resume." for job in stopped]
    reasons += [
        f"Run {other.id} starts from its adapter and is {other.state}."
        for other in project.runs.all()
        if other.config.initial_run_id == run.id and other.state != "done"
    ]
    reasons += [f"It was released to {folder}." for folder in releases]
    if reasons:
        stays = " The released files would stay, but no longer be listed." if releases else ""
        raise TrainingError(
            f"Cannot delete run {run.id}: it is still needed.",
            " ".join(reasons) + stays,
            f"To delete it anyway: distill-tui runs delete {run.id} --force",
        )


def _ended_jobs(project: Project, run: Run) -> list[Job]:
    """Return jobs that can be resumed and would need the run, except if a later one of their kind did their work."""
    trained = project.runs.trained_by().get(run.id, ())
    its = [job for job in project.jobs.all() if job.id in trained or works_with(project, job, run, at_work=False)]
    done = {job.kind: job.id for job in its if job.state == "done"}
    return [
        job
        for job in its
        if job.state not in (*LIVE_STATES, "done")
        and job.id > done.get(job.kind, 0)
        and not (job.kind == "train" and run.state == "done")
    ]


def _released(project: Project, run: Run) -> tuple[Path, ...]:
    folders = (project.folder / release.folder for release in project.releases.all() if release.run_id == run.id)
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def _remove_files(project: Project, folder: Path, run_id: int) -> tuple[float, Path | None]:
    """Return how many MB that freed; and where the files are if the folder was a link: those stay."""
    try:
        place = Path(os.path.realpath(folder))
        if place != Path(os.path.realpath(project.folder)) / RUNS / folder.name:
            if folder.is_symlink():
                folder.unlink()
            return 0.0, place if place.exists() else None
        freed = held_mb(folder)
        if folder.is_dir():
            shutil.rmtree(folder)
    except FileNotFoundError:  # another process is removing it too
        freed = 0.0
    except OSError as error:
        raise StoreError(
            f"Run {run_id} was deleted, but some of its files could not be removed.",
            f"{error.filename or folder}: {error.strerror or error}.",
            f"Check the permissions, then remove what is left: distill-tui runs delete {run_id}",
        ) from error
    return freed, None
