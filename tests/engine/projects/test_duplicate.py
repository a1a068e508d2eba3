"""Duplicating a project: what is copied, and that a failure leaves nothing behind."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StoreError, UsageError
from engine.folders import DATABASE
from engine.jobs.locks import FileLock
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.projects import Kept, archive, duplicate, list_projects, look
from engine.records.options import ProjectSettings
from engine.records.run import TrainingConfig
from engine.records.selection import Selection
from tests.engine.projects.support import make_empty, start_job
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run, make_project


def wal_of(database: Path) -> bytes:
    """The write-ahead log of the database."""
    with contextlib.suppress(FileNotFoundError):
        return database.with_name(f"{database.name}-wal").read_bytes()
    return b""


@pytest.fixture
def full(home: Home) -> Iterator[Project]:
    """A project with a finished run, a run that a job is training, and a release."""
    with make_project(home) as project:
        project.settings.write(ProjectSettings(serving_temperature=0.3))
        add_examples(project)
        sha256 = add_dataset(project)
        run_id = add_run(project, sha256, done=True)
        (project.folder / "runs" / str(run_id)).mkdir(parents=True)
        (project.folder / "runs" / str(run_id) / "adapter.safetensors").write_bytes(b"weights")
        add_evaluation(project, run_id)
        project.releases.add("adapter", run_id, "releases/adapter-1", "ab" * 32)
        unfinished = add_run(project, sha256, done=False)
        (project.folder / "runs" / str(unfinished)).mkdir(parents=True)
        for stage in ("questions", "generate", "train"):
            project.settings.write_timing(stage, 1.0)
        start_job(project)
        yield project


@pytest.mark.parametrize(
    ("kept", "examples", "runs", "timings"),
    [("questions", 0, [], {"questions"}), ("examples", 40, [], {"questions", "generate"}),
     ("runs", 40, [1], {"questions", "generate", "train"})],
)  # fmt: skip
def test_duplicate_has_only_what_was_requested(
    home: Home, full: Project, kept: Kept, examples: int, runs: list[int], timings: set[str]
) -> None:
    with Project.open(duplicate(full, "twin", kept), home) as twin:
        assert twin.prompts.current() == full.prompts.current()
        assert twin.rules.all() == full.rules.all()
        assert twin.questions.all() == full.questions.all()
        assert twin.settings.read() == full.settings.read()
        assert twin.examples.counts().total == examples
        assert twin.examples.all() == (full.examples.all() if examples else ())
        assert len(twin.examples.window(0, 100, Selection(search="desk"))) == examples
        assert [run.id for run in twin.runs.all()] == runs
        assert twin.evaluations.count() == len(twin.datasets.all()) == len(runs)
        assert (twin.folder / "runs" / "1" / "adapter.safetensors").exists() is bool(runs)
        assert not (twin.folder / "runs" / "2").exists()
        assert set(twin.settings.timings()) == timings
        assert twin.jobs.all() == ()
        assert twin.releases.all() == ()
        assert twin.check() == ()
        # Answers can be added: the omitted ones are gone from the search index too.
        add_examples(twin)
        assert len(twin.examples.window(0, 100, Selection(search="desk"))) == 40
    assert [path.name for path in home.projects.iterdir() if path.name != full.name] == ["twin"]


def test_duplicate_contains_no_bytes_of_omitted_answers(home: Home, full: Project) -> None:
    folder = duplicate(full, "twin")
    assert b"RISK SCORE: 1. Please call" in (full.folder / DATABASE).read_bytes() + wal_of(full.folder / DATABASE)
    assert b"RISK SCORE: 1. Please call" not in (folder / "project.db").read_bytes()


def test_duplicate_of_an_archived_project_is_not_archived(home: Home) -> None:
    folder = make_empty(home, "old")
    archive(folder, home)
    with Project.open(folder, home) as project:
        assert not look(duplicate(project, "twin"), home).archived


def test_run_that_never_started_is_not_duplicated(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        project.runs.add(add_dataset(project), TrainingConfig(base="starter"))
        with Project.open(duplicate(project, "twin", "runs"), home) as twin:
            assert twin.runs.all() == ()
            assert len(twin.datasets.all()) == 1


@pytest.mark.parametrize("name", ["meridian-desk", "taken", ".hidden", "a/b", ""])
def test_taken_or_invalid_name_is_refused(home: Home, full: Project, name: str) -> None:
    (home.projects / "taken").write_text("a file")
    before = sorted(home.projects.iterdir())
    with pytest.raises(UsageError):
        duplicate(full, name)
    assert sorted(home.projects.iterdir()) == before


def test_damaged_project_is_not_duplicated(home: Home) -> None:
    folder = make_empty(home, "old")
    with contextlib.closing(sqlite3.connect(folder / "project.db")) as connection:
        connection.execute("DROP TABLE jobs")
    with Project.open(folder, home) as project, pytest.raises(StoreError):
        duplicate(project, "twin")
    assert [summary.name for summary in list_projects(home)] == ["old"]


def test_only_one_duplicate_is_made_at_a_time(home: Home, full: Project) -> None:
    lock = FileLock.take(home.state / "duplicate.lock") if make_private_folder(home.state) else None
    assert lock is not None
    with pytest.raises(StoreError, match="Another project is being duplicated"):
        duplicate(full, "twin")
    lock.release()
    duplicate(full, "twin")


def test_folder_created_during_duplication_is_not_overwritten(
    home: Home, full: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_copy = Project.write_copy

    def taken(project: Project, folder: Path, kept: Kept) -> None:
        write_copy(project, folder, kept)
        (home.projects / "twin").mkdir()
        (home.projects / "twin" / "thesis.txt").write_text("mine")

    monkeypatch.setattr(Project, "write_copy", taken)
    with pytest.raises(UsageError, match="taken"):
        duplicate(full, "twin")
    assert [path.name for path in (home.projects / "twin").iterdir()] == ["thesis.txt"]


def test_full_disk_is_reported_and_leaves_no_project(
    home: Home, full: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        duplicate(full, "twin", "runs")
    assert [summary.name for summary in list_projects(home)] == [full.name]
    assert not (home.projects / ".twin.part").exists()


def test_copied_files_reach_the_disk_before_the_project_has_its_name(
    home: Home, full: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    weights = Path("runs", "1", "adapter.safetensors")

    def sync() -> None:
        seen.append(((home.projects / ".twin.part" / weights).exists(), (home.projects / "twin").exists()))

    monkeypatch.setattr(os, "sync", sync)
    duplicate(full, "twin", "runs")
    assert seen == [(True, False)]
    assert (home.projects / "twin" / weights).exists()


def test_killed_duplication_leaves_no_project(home: Home, full: Project) -> None:
    program = f"""
import os, signal, shutil
from pathlib import Path
from engine.paths import Home
from engine.projects import duplicate, find_project
shutil.copytree = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
home = Home.locate(Path({str(home.root)!r}))
duplicate(find_project({full.name!r}, home), "twin", "runs")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    assert done.returncode == -signal.SIGKILL
    assert [summary.name for summary in list_projects(home)] == [full.name]
    assert (home.projects / ".twin.part").is_dir()
    duplicate(full, "other")
    assert not (home.projects / ".twin.part").exists()


def test_duplicate_is_a_consistent_snapshot_during_writes(home: Home, full: Project) -> None:
    program = f"""
import sys
from pathlib import Path
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions
from engine.records.question import Question
from engine.records.prompt import Message
with Project.open(Path({str(full.folder)!r}), Home.locate(Path({str(home.root)!r}))) as project:
    number = 0
    while True:
        number += 1
        with project.transaction():  # two rows that belong together
            project.questions.add([Question((Message("user", f"pair {{number}} left"),), topic="pairs")])
            project.questions.add([Question((Message("user", f"pair {{number}} right"),), topic="pairs")])
        if number == 20:
            print("writing", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        folder = duplicate(full, "twin")
        assert writer.poll() is None
        writer.kill()
    with Project.open(folder, home) as twin:
        texts = {question.text for question in twin.questions.all(topic="pairs")}
        assert len(texts) >= 40
        assert {text.replace("left", "right") for text in texts} == {t for t in texts if "right" in t}
        assert len(texts) % 2 == 0
        assert twin.check() == ()
