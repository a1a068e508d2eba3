"""A project: one folder with a database and large files beside it. The only way in to everything in it."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Protocol

from engine.errors import DistillError, JobError, SchemaError, StoreError, UsageError
from engine.folders import ARCHIVED, DATABASE, NAME, is_of_home
from engine.paths import Home, expand, make_private_folder
from engine.records.job import Job
from engine.records.options import JobOptions, ProjectSettings
from engine.store.carrying import CarriedTable
from engine.store.connection import BUSY_TIMEOUT_S, Connection
from engine.store.copies import Kept, write_copy
from engine.store.datasets import DatasetTable
from engine.store.decisions import DecisionTable
from engine.store.evaluations import EvaluationTable
from engine.store.examples import ExampleTable
from engine.store.harness import HarnessTable
from engine.store.jobs import JobTable
from engine.store.judgements import JudgementTable
from engine.store.migrations import migrate
from engine.store.prompts import PromptTable
from engine.store.questions import QuestionTable
from engine.store.releases import ReleaseTable
from engine.store.rules import RuleTable
from engine.store.runs import RunTable
from engine.store.settings import SettingsTable
from engine.store.spending import SpendingTable
from engine.store.votes import VoteTable

REPORT = "report.html"  # what the evaluation pane writes
DRAFT = "draft.md"  # a prompt that the user has started to write and not saved
# Everything that a project puts into its folder besides the database; deleting it touches nothing else.
_CONTENTS = ("runs", "jobs", "caches", "releases", ARCHIVED, REPORT, DRAFT)


class Project:
    """An open project. Several processes may hold one open; each object belongs to the thread that made it."""

    def __init__(self, folder: Path, home: Home, connection: Connection) -> None:
        """Use `create`, `open` or `find`."""
        self.folder = folder
        self.home = home
        self._connection = connection
        self.prompts = PromptTable(connection)
        self.rules = RuleTable(connection)
        self.questions = QuestionTable(connection)
        self.examples = ExampleTable(connection)
        self.spending = SpendingTable(connection)
        self.carried = CarriedTable(connection)
        self.decisions = DecisionTable(connection)
        self.datasets = DatasetTable(connection)
        self.runs = RunTable(connection)
        self.evaluations = EvaluationTable(connection)
        self.harness = HarnessTable(connection)
        self.jobs = JobTable(connection)
        self.settings = SettingsTable(connection)
        self.releases = ReleaseTable(connection)
        self.votes = VoteTable(connection)
        self.judgements = JudgementTable(connection)

    @classmethod
    def create(
        cls, folder: Path, settings: ProjectSettings | None = None, home: Home | None = None, *, again: bool = False
    ) -> "Project":
        """Create a project in a folder that does not exist yet or is empty.

        `again`: replace a project that was deleted, next to other files that the user keeps there.
        Raises `UsageError` if something is there, `StoreError` if it cannot be created.
        """
        home = home or Home.locate()
        folder = expand(folder).absolute()
        check_name(folder.name)
        if not again:
            check_free(folder)
        made = not folder.exists()
        make_private_folder(folder)
        Connection.create_file(folder / DATABASE)
        try:
            project = cls.open(folder, home)
        except BaseException as error:
            _remove_database(folder)
            if made:
                with suppress(OSError):  # not empty: someone else has written into it
                    folder.rmdir()
            if isinstance(error, SchemaError) and error.__cause__ is not None:
                title = f"Cannot create the project in {folder}."
                raise StoreError(title, str(error.__cause__), "Fix the cause, then create it again.") from error
            raise
        if settings is not None:
            project.settings.write(settings)
        return project

    @classmethod
    def open(cls, folder: Path, home: Home | None = None, timeout_s: float = BUSY_TIMEOUT_S) -> "Project":
        """Open the project in `folder`, and bring its schema up to date. Wait `timeout_s` for other writers.

        Raises `NotFoundError` if there is none, `SchemaError` for a newer one, `StoreError` for a damaged one.
        """
        folder = expand(folder).absolute()
        connection = Connection(folder / DATABASE, timeout_s)
        try:
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return cls(folder, home or Home.locate(), connection)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def caches(self) -> Path:
        """The folder for what can be computed again; created on first use."""
        return make_private_folder(self.folder / "caches")

    @cached_property
    def releases_folder(self) -> Path:
        """The folder for exports into the project itself; created on first use."""
        return make_private_folder(self.folder / "releases")

    def transaction(self) -> AbstractContextManager[None]:
        """Keep everything written inside, or nothing of it. Keep it short: other writers wait meanwhile."""
        return self._connection.transaction()

    def snapshot(self) -> AbstractContextManager[None]:
        """Read everything inside as of one moment. Nothing may be written inside."""
        return self._connection.snapshot()

    @property
    def version(self) -> tuple[int, int]:
        """A value that changes whenever anybody writes to the project."""
        return self._connection.version

    def check(self) -> tuple[str, ...]:
        """What is wrong with the database, in SQLite's words; empty if all is well."""
        return self._connection.check()

    def write_copy(self, folder: Path, kept: Kept) -> None:
        """Write a database with what `kept` names into `folder`, as of one moment, whatever jobs write meanwhile.

        Jobs and releases are not copied. Raises `StoreError`.
        """
        write_copy(self._connection, folder / DATABASE, kept)

    def start_job(self, options: JobOptions) -> Job:
        """Start the job that carries out `options`, in its own process.

        Raises `JobError` or `StoreError` if that fails; the job is then marked as failed.
        """
        # The launcher is only needed when a job starts; jobs themselves import this module.
        from engine.jobs.launch import launch

        job = self.jobs.add(options)
        try:
            launch(self.folder, job, self.home)
        except DistillError as error:
            self.jobs.update(job.id, state="failed", note=str(error))
            raise
        return self.jobs.get(job.id)

    def delete(self) -> None:
        """Close the project and delete its files: database and log, backups, runs, jobs, caches and releases.

        Files that are not the project's are kept, and then so is the folder. Raises `JobError` while a job is running,
        which `engine.jobs.control.stop_all` stops, and `StoreError` if something cannot be removed.
        """
        from engine.jobs.liveness import mark_lost_jobs

        mark_lost_jobs(self)
        if at_work := self.jobs.live():
            raise in_use_error("delete", self.folder, self.home, at_work)
        self.close()
        remove_project(self.folder)

    def close(self) -> None:
        """Close the database. Closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> "Project":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _LiveJob(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...


def in_use_error(action: str, folder: Path, home: Home, jobs: Sequence[_LiveJob]) -> JobError:
    """Return why nothing can be done to a project: its live `jobs`, with the commands that stop them."""
    them = "it" if len(jobs) == 1 else "them"
    project = folder.name if is_of_home(folder, home) else str(folder)
    stop = ", ".join(f"`distill-tui jobs stop {job.id} --project {project}`" for job in jobs)
    return JobError(
        f"Cannot {action} {folder.name}.",
        " ".join(f"Job {job.id} ({job.kind}) is {job.state}." for job in jobs),
        f"Wait for {them} to end, or stop {them}: {stop}.",
    )


def check_name(name: str) -> None:
    """Raise `UsageError` unless `name` can be a project's: letters, digits, `.`, `_`, `-`, not starting with a dot."""
    if NAME.fullmatch(name) is None:
        raise UsageError(
            "Invalid project name.",
            f"{name!r} is not 1 to 100 letters A to Z, digits, dots, dashes or underscores, or starts with a dot.",
            "Choose another name, such as `support-desk`.",
        )


def check_free(folder: Path) -> None:
    """Raise `UsageError` unless a project can be created at `folder`: it must be empty or not exist."""
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise UsageError(
            "Cannot create a project there.", f"{error.filename}: {error.strerror}.", "Choose another name or folder."
        ) from error
    if taken:
        raise UsageError("The folder is taken.", f"{folder} exists and is not empty.", "Choose another name or folder.")


def remove_project(folder: Path) -> None:
    """Remove a project's files in `folder`, as `Project.delete` does, even if jobs are running. Raises `StoreError`."""
    try:
        for name in _CONTENTS:
            _remove(folder / name)
        # The database goes last, so that an interrupted deletion can be repeated.
        for path in sorted(folder.glob("project-schema-*.backup.db*")):
            path.unlink()
        _remove_database(folder)
        if not any(folder.iterdir()):
            # The target of a link belongs to the user, and is kept.
            if folder.is_symlink():
                folder.unlink()
            else:
                folder.rmdir()
    except OSError as error:
        raise StoreError(
            "The project could not be deleted completely.",
            f"{error.filename or folder}: {error.strerror or error}.",
            "Check the permissions, then delete it again.",
        ) from error


def _remove_database(folder: Path) -> None:
    for suffix in ("-shm", "-wal", ""):
        (folder / f"{DATABASE}{suffix}").unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
