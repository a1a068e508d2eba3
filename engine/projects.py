"""The projects of a home: how far each one is, and what can be done to a whole project.

Speaks no SQL, and knows nothing of what a station does.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import DamagedError, DistillError, JobError, StoreError
from engine.folders import (
    ARCHIVED,
    DATABASE,
    changed_at_s,
    is_archived,
    locate_project,
    project_folders,
    unnamed_project,
)
from engine.jobs.control import kill_all, stop_all
from engine.jobs.follow import latest_progress
from engine.jobs.liveness import LOCK_FILE, is_at_work
from engine.jobs.locks import FileLock
from engine.paths import Home, make_private_folder, sync_folder, write_atomically
from engine.project import Project, check_free, check_name, in_use_error, remove_project
from engine.records.job import LIVE_STATES, TROUBLE, Job, JobState, state_word
from engine.records.options import JobKind
from engine.records.station import StationName
from engine.status import is_due
from engine.store.connection import Connection
from engine.store.copies import KEPT as KEPT
from engine.store.copies import Kept as Kept
from engine.store.migrations import check_schema
from engine.store.schema import STEPS


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job of a listed project: one that has a process or is about to get one, or the last, if that went wrong."""

    id: int
    kind: JobKind
    state: JobState
    done: int
    total: int
    seconds_left: float | None

    @property
    def words(self) -> str:
        """What it is and what became of it: `train killed`."""
        return f"{self.kind} {state_word(self.state)}"


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """What the list of projects shows. `trouble` says why a project could not be read; its facts are then unknown."""

    name: str
    folder: Path
    changed_at: str  # ISO 8601, UTC
    archived: bool = False
    station: StationName | None = None  # the furthest station that has anything
    note: str = ""  # what it has
    jobs: tuple[ListedJob, ...] = ()
    trouble: str = ""
    failed: ListedJob | None = None  # the newest job, if it failed or was killed; None while another is running
    due: str = ""  # the day, YYYY-MM-DD, of a reminder to check the prompt, once it has come


def list_projects(home: Home) -> tuple[ProjectSummary, ...]:
    """Return the projects of this home, those with running jobs first, then the last changed; archived ones too.

    Nothing is migrated or marked. A project that cannot be read is listed with its trouble.
    """
    return in_order(look(folder, home) for folder in project_folders(home))


def in_order(summaries: Iterable[ProjectSummary]) -> tuple[ProjectSummary, ...]:
    """Return the summaries in the order of the list: running projects by name, then the others by last change."""
    # Jobs write all the time: sorted by time, two running projects would keep changing places.
    by_name = sorted(summaries, key=lambda project: project.name)
    by_time = sorted(by_name, key=lambda project: "" if project.jobs else project.changed_at, reverse=True)
    return tuple(sorted(by_time, key=lambda project: not project.jobs))


def look(folder: Path, home: Home) -> ProjectSummary:
    """Return the summary of one project, without changing anything."""
    changed_at = datetime.fromtimestamp(changed_at_s(folder), UTC).isoformat(timespec="seconds")
    archived = is_archived(folder)
    try:
        with closing(Connection(folder / DATABASE, timeout_s=1.0)) as connection:
            older = check_schema(connection) < len(STEPS)
            try:
                with connection.snapshot():
                    project = Project(folder, home, connection)
                    station, note = _standing(project)
                    day = project.settings.remind_on()
                    jobs = tuple(_listed(folder, job) for job in project.jobs.live() if is_at_work(job))
                    failed = None if jobs else _failed(project)
            except StoreError:
                # A project of an older program is migrated when it is opened, and may not be readable before.
                if not older:
                    raise
                station, note, jobs, failed, day = None, "", (), None, ""
            due = day if is_due(day) else ""
            return ProjectSummary(
                folder.name, folder, changed_at, archived, station, note, jobs, failed=failed, due=due
            )
    except DistillError as error:
        return ProjectSummary(folder.name, folder, changed_at, archived, trouble=str(error))


def find_project(name_or_path: str | None, home: Home) -> Project:
    """Open the project with this name or in this folder; for None the current one, else the only one.

    Raises `NotFoundError` for an unknown one, `UsageError` if none is named and it is not clear which is meant.
    """
    folder = locate_project(name_or_path, home) if name_or_path is not None else unnamed_project(home)
    return Project.open(folder, home)


def archive(folder: Path, home: Home) -> None:
    """Hide the project from the list, and never use it as the default; nothing in it changes.

    Also works if the project cannot be read. Raises `JobError` while a job is running.
    """
    if jobs := look(folder, home).jobs:
        raise in_use_error("archive", folder, home, jobs)
    write_atomically(folder / ARCHIVED, b"")


def restore(folder: Path) -> None:
    """Bring an archived project back into the list."""
    try:
        (folder / ARCHIVED).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            "The project could not be restored.",
            f"{error.filename}: {error.strerror or error}.",
            "Check the permissions, then restore it again.",
        ) from error


def delete(folder: Path, home: Home, *, force: bool = False) -> None:
    """Delete the project in `folder` as `Project.delete` does, even a damaged one of this home.

    With `force`, stop its jobs first.
    """
    try:
        with Project.open(folder, home) as project:
            if force:
                stop_all(project)
            project.delete()
    except DamagedError:
        # Elsewhere the file may belong to another program, and the files beside it are not ours to remove.
        if folder.resolve().parent != home.projects.resolve():
            raise
        if force:
            kill_all(folder)
        _refuse_while_locked(folder)
        remove_project(folder)


def duplicate(source: Project, name: str, kept: Kept = "questions") -> Path:
    """Create a project called `name` with the prompt, rules and questions of `source`, and what else `kept` names.

    The copy is of one moment, whatever jobs write meanwhile. It is written to a hidden folder and then renamed, so an
    interruption leaves no project. Raises `UsageError` for an invalid name or one that is taken, `StoreError` if it
    cannot be created.
    """
    home = source.home
    folder = home.projects / name
    check_name(name)
    check_free(folder)
    lock = FileLock.take(make_private_folder(home.state) / "duplicate.lock")
    if lock is None:
        raise StoreError(
            "Another project is being duplicated.", f"{name} has to wait for it.", "Try again in a moment."
        )
    with lock:
        _copy(source, folder, kept)
    return folder


def _copy(source: Project, folder: Path, kept: Kept) -> None:
    projects = folder.parent
    part = projects / f".{folder.name}.part"
    try:
        for left_over in make_private_folder(projects).glob(".*.part"):
            shutil.rmtree(left_over)
        make_private_folder(part)
        source.write_copy(part, kept)
        with Project.open(part, source.home) as copy:
            for run in copy.runs.all():
                if (source.folder / run.folder).is_dir():
                    shutil.copytree(source.folder / run.folder, part / run.folder, symlinks=True)
        os.sync()  # the runs' files may be many; a power failure must not leave a named project with empty ones
        part.rename(folder)
        sync_folder(projects)
    except (OSError, shutil.Error) as error:
        check_free(folder)  # the name may have been taken meanwhile
        raise StoreError(
            "The project could not be duplicated.",
            f"{error}.",
            "Check the permissions and the free space, then try again; nothing was changed.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)  # if it is still there, it is half a copy, and may be large


def _refuse_while_locked(folder: Path) -> None:
    """Raise `JobError` while a job is running, by the locks that jobs hold, because the store cannot be read."""
    for path in sorted(folder.glob(f"jobs/*/{LOCK_FILE}")):
        lock = FileLock.take(path)
        if lock is None:
            raise JobError(
                f"Cannot delete {folder.name}.",
                f"Job {path.parent.name} is using it.",
                f"Wait until it ends, or: `distill-tui projects delete {folder.name} --force`.",
            )
        lock.release()


def _standing(project: Project) -> tuple[StationName | None, str]:
    """Return the furthest station that has anything, with a short note; looks from the end, so that little is read."""
    if releases := project.releases.all():
        return "release", f"{releases[-1].kind} of run {releases[-1].run_id}"
    if evaluation := project.evaluations.latest():
        recovered = f" {evaluation.recovered.value:.2f}" if evaluation.recovered is not None else ""
        return "evaluation", f"{evaluation.verdict}{recovered}"
    if run := project.runs.latest_begun():
        return "run", f"{run.id}, {run.state}" if run.state == "done" else f"{run.id}, step {run.step} of {run.steps}"
    if dataset := project.datasets.latest():
        return "dataset", f"{dataset.train + dataset.validation:,} frozen"
    if (counts := project.examples.counts()).total:
        return "examples", f"{counts.total:,}, {counts.accepted:,} accepted"
    if questions := project.questions.count():
        return "questions", f"{questions:,}"
    if prompt := project.prompts.current():
        return "prompt", f"version {prompt.version}"
    return None, ""


def _failed(project: Project) -> ListedJob | None:
    newest = project.jobs.newest()
    if newest is None:
        return None
    # Nobody has opened the project since its process was killed, which is when it is marked.
    state = "lost" if newest.state in LIVE_STATES and not is_at_work(newest) else newest.state
    return _listed(project.folder, replace(newest, state=state)) if state in TROUBLE else None


def _listed(folder: Path, job: Job) -> ListedJob:
    progress = latest_progress(folder / job.folder)
    seconds_left = progress.seconds_left if progress is not None else None
    return ListedJob(job.id, job.kind, job.state, job.done, job.total, seconds_left)
