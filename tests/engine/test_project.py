"""The front door: making, opening and really deleting a project."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import JobError, StoreError, UsageError
from engine.folders import DATABASE
from engine.jobs.identity import own_identity
from engine.paths import Home
from engine.project import Project, check_name
from engine.records.options import GenerateOptions, ProjectSettings


@pytest.fixture
def home() -> Home:
    return Home.locate()


def _make(home: Home, name: str) -> Path:
    with Project.create(home.projects / name, home=home) as project:
        return project.folder


def test_a_new_project_keeps_its_settings(home: Home) -> None:
    settings = ProjectSettings(serving_temperature=0.1)
    with Project.create(home.projects / "first", settings) as project:
        assert project.name == "first"
        assert project.caches.parent == project.releases_folder.parent == project.folder
    with Project.open(project.folder) as again:
        assert again.settings.read() == settings


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a b", "a\n", "ä", "x" * 101, "a\x1b[2J"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)


def test_nothing_is_overwritten(home: Home, tmp_path: Path) -> None:
    folder = _make(home, "taken")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    for place in (folder, tmp_path / "mine", tmp_path / "mine" / "thesis.txt"):
        with pytest.raises(UsageError):
            Project.create(place)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_project_that_cannot_be_made_leaves_no_database(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr("engine.project.migrate", fail)
        with pytest.raises(StoreError):
            Project.create(home.projects / "half")
    assert list((home.projects / "half").iterdir()) == []
    _make(home, "half")


def test_delete_removes_all_of_the_project_and_nothing_else(home: Home) -> None:
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


def test_delete_gives_way_to_a_job_at_work(home: Home) -> None:
    project = Project.create(home.projects / "working")
    job = project.jobs.add(GenerateOptions())
    me = own_identity()
    project.jobs.update(job.id, state="running", pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id)
    with pytest.raises(JobError, match="jobs stop 1"):
        project.delete()
    assert (project.folder / DATABASE).is_file()


_HEAVY = """
import sys
from pathlib import Path
from engine.project import Project
from engine.stations import read_stations
folder = Path(sys.argv[1])
with Project.create(folder) as project:
    read_stations(project)
made = {"pandas", "numpy", "torch"} & sys.modules.keys()
import numpy, pandas  # only kept out while sqlite-utils was imported
sys.stdout.write(f"{sorted(made)}")
"""
_LIGHT = """
import sys
from pathlib import Path
from engine.project import Project
from engine.stations import read_stations
with Project.open(Path(sys.argv[1])) as project:
    read_stations(project)
sys.stdout.write(f"{sorted({'pandas', 'numpy', 'torch', 'sqlite_utils'} & sys.modules.keys())}")
"""


def test_neither_making_nor_opening_a_project_imports_frames(home: Home) -> None:
    for program in (_HEAVY, _LIGHT):
        command = [sys.executable, "-c", program, str(home.projects / "light")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
        assert (done.returncode, done.stdout) == (0, "[]"), done.stderr
