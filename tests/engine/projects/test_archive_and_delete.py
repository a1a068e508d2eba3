"""Archiving, restoring and deleting whole projects, damaged ones too."""

import dataclasses
from pathlib import Path

import pytest

from engine.errors import JobError, StoreError
from engine.folders import ARCHIVED
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.projects import archive, delete, look, restore
from tests.engine.projects.support import make_empty, start_job


def test_archiving_is_reversible_and_changes_no_data(home: Home) -> None:
    folder = make_empty(home, "old")
    before, data = look(folder, home), (folder / "project.db").read_bytes()
    archive(folder, home)
    archive(folder, home)
    assert look(folder, home) == dataclasses.replace(before, archived=True)
    assert (folder / "project.db").read_bytes() == data
    restore(folder)
    restore(folder)
    assert look(folder, home) == before


def test_damaged_project_can_be_archived(home: Home) -> None:
    folder = home.projects / "broken"
    folder.mkdir(parents=True)
    (folder / "project.db").write_text("nonsense " * 100)
    archive(folder, home)
    assert look(folder, home).archived


def test_project_with_a_running_job_is_not_archived(home: Home) -> None:
    with Project.create(home.projects / "busy", home=home) as project:
        start_job(project)
    with pytest.raises(JobError, match="jobs stop 1 --project busy"):
        archive(project.folder, home)
    assert not look(project.folder, home).archived


def test_failed_restore_is_reported(home: Home) -> None:
    folder = make_empty(home, "old")
    (folder / ARCHIVED).mkdir()
    with pytest.raises(StoreError, match="could not be restored"):
        restore(folder)


def test_archived_project_can_be_deleted(home: Home) -> None:
    folder = make_empty(home, "old")
    archive(folder, home)
    Project.open(folder, home).delete()
    assert not folder.exists()


@pytest.mark.parametrize("offset", [0, 4096 * 2])
def test_project_with_a_damaged_database_is_deleted_completely(home: Home, offset: int) -> None:
    folder = make_empty(home, "broken")
    data = (folder / "project.db").read_bytes()
    (folder / "project.db").write_bytes(data[:offset] + b"nonsense" * ((len(data) - offset) // 8))
    (folder / "runs" / "1").mkdir(parents=True)
    delete(folder, home)
    assert not folder.exists()


def test_deleting_a_linked_project_also_removes_the_link(home: Home, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    make_private_folder(home.projects)
    (home.projects / "linked").symlink_to(disk)
    Project.create(home.projects / "linked", home=home).delete()
    assert not (home.projects / "linked").is_symlink()
    assert not any(disk.iterdir())
