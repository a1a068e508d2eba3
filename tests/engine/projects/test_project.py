"""`Project`: creating, opening and deleting one; its folders stay inside it."""

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import JobError, StoreError, UsageError
from engine.folders import DATABASE
from engine.paths import Home
from engine.project import Project, check_name
from engine.projects import archive
from engine.records.options import ProjectSettings, TrainOptions
from tests.engine.projects.support import make_empty, start_job


def test_new_project_stores_its_settings(home: Home) -> None:
    settings = ProjectSettings(serving_temperature=0.1)
    with Project.create(home.projects / "first", settings) as project:
        assert project.name == "first"
        assert project.caches.parent == project.releases_folder.parent == project.folder
    with Project.open(project.folder) as again:
        assert again.settings.read() == settings


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a b", "a\n", "ä", "x" * 101, "a\x1b[2J"])
def test_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)


def test_create_never_overwrites_existing_files(home: Home, tmp_path: Path) -> None:
    folder = make_empty(home, "taken")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    for place in (folder, tmp_path / "mine", tmp_path / "mine" / "thesis.txt"):
        with pytest.raises(UsageError):
            Project.create(place)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_failed_creation_leaves_no_files(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("engine.project.migrate", fail)
        with pytest.raises(StoreError):
            Project.create(home.projects / "half")
    assert not (home.projects / "half").exists()
    make_empty(home, "half")


def test_delete_removes_the_project_and_keeps_foreign_files(home: Home) -> None:
    project = Project.create(home.projects / "gone")
    (project.folder / "runs" / "1").mkdir(parents=True)
    (project.folder / "runs" / "1" / "adapter.bin").write_bytes(b"x")
    (project.folder / "project-schema-3.backup.db").write_bytes(b"x")
    (project.folder / "caches").symlink_to(home.root or Path())
    project.delete()
    assert not project.folder.exists()
    assert home.projects.is_dir()

    project = Project.create(home.projects / "shared")
    (project.folder / "thesis.txt").write_text("mine")
    project.delete()
    assert [path.name for path in project.folder.iterdir()] == ["thesis.txt"]


def test_delete_is_refused_while_a_job_runs(home: Home) -> None:
    project = Project.create(home.projects / "working")
    start_job(project)
    start_job(project)
    for refused in (project.delete, lambda: archive(project.folder, home)):
        with pytest.raises(JobError) as caught:
            refused()
        assert caught.value.message == "Job 1 (train) is running. Job 2 (train) is running."
        assert "stop them: `distill-tui jobs stop 1 --project working`, " in caught.value.next
        assert "`distill-tui jobs stop 2 --project working`." in caught.value.next
    assert (project.folder / DATABASE).is_file()


_CREATE = """
import sys
from pathlib import Path
from engine.project import Project
from engine.stations import read_stations
folder = Path(sys.argv[1])
with Project.create(folder) as project:
    read_stations(project)
imported = {"pandas", "numpy", "torch"} & sys.modules.keys()
import numpy, pandas  # sqlite-utils must not import them, but they can be imported later
sys.stdout.write(f"{sorted(imported)}")
"""
_OPEN = """
import sys
from pathlib import Path
from engine.project import Project
from engine.stations import read_stations
with Project.open(Path(sys.argv[1])) as project:
    read_stations(project)
sys.stdout.write(f"{sorted({'pandas', 'numpy', 'torch', 'sqlite_utils'} & sys.modules.keys())}")
"""


def test_creating_or_opening_a_project_imports_no_heavy_library(home: Home) -> None:
    for program in (_CREATE, _OPEN):
        command = [sys.executable, "-c", program, str(home.projects / "light")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
        assert (done.returncode, done.stdout) == (0, "[]"), done.stderr


@pytest.mark.parametrize("place", ["../../elsewhere", "/elsewhere", "runs/../../elsewhere"])
def test_job_folder_outside_the_project_is_refused(home: Home, place: str) -> None:
    folder = make_empty(home, "foreign")
    with Project.open(folder, home) as project:
        job = project.jobs.add(TrainOptions(1))
    with contextlib.closing(sqlite3.connect(folder / "project.db")) as driver, driver:
        driver.execute("UPDATE jobs SET folder = ?", (place,))
    with Project.open(folder, home) as project:
        for read in (project.jobs.all, project.jobs.live, lambda: project.jobs.get(job.id)):
            with pytest.raises(StoreError, match="inside the project"):
                read()
