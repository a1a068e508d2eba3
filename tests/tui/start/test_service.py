"""The projects service without a screen: listing, creating and deleting projects, and reported errors."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.folders import DATABASE
from engine.paths import Home
from engine.project import Project
from engine.projects import ProjectSummary, archive, look
from engine.records.options import ProjectSettings
from engine.store.prompts import PromptTable
from tests.tui.services.recorder import Recorder
from tests.tui.start.list_helpers import add_live_job, set_age
from tui.services import projects
from tui.services.projects import (
    NewProject,
    ProjectReady,
    ProjectsChanged,
    ProjectsFailed,
    ProjectsRead,
    ProjectsService,
    PromptLookedAt,
)


def lists(recorder: Recorder) -> list[list[str]]:
    """The names in each list of projects that was posted."""
    return [[project.name for project in message.projects] for message in recorder.of(ProjectsRead)]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def service(home: Home, recorder: Recorder) -> Iterator[ProjectsService]:
    made = ProjectsService(home, recorder)
    yield made
    made.close()


@pytest.fixture
def read_folders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def counted(folder: Path, home: Home) -> ProjectSummary:
        names.append(folder.name)
        return look(folder, home)

    monkeypatch.setattr(projects, "look", counted)
    return names


def create_projects(home: Home, *names: str) -> None:
    for number, name in enumerate(names):
        Project.create(home.projects / name, home=home).close()
        set_age(home.projects / name, 60 * number)


def test_only_changed_or_running_projects_are_read_again(
    home: Home, service: ProjectsService, recorder: Recorder, read_folders: list[str]
) -> None:
    create_projects(home, "one", "two", "busy")
    add_live_job(home.projects / "busy", home)
    service._read()
    read_folders.clear()
    service._read()
    assert read_folders == ["busy"]
    os.utime(home.projects / "two" / DATABASE)
    archive(home.projects / "one", home)
    read_folders.clear()
    service._read()
    assert sorted(read_folders) == ["busy", "one", "two"]


def test_unchanged_list_is_not_sent_again(home: Home, service: ProjectsService, recorder: Recorder) -> None:
    create_projects(home, "one")
    service._read()
    service._read()
    assert lists(recorder) == [["one"]]
    Project.open(home.projects / "one", home).delete()
    service._read()
    assert lists(recorder) == [["one"], []]


def test_damaged_project_can_be_deleted(home: Home, service: ProjectsService, recorder: Recorder) -> None:
    create_projects(home, "broken")
    (home.projects / "broken" / DATABASE).write_text("nonsense " * 100)
    service.delete(home.projects / "broken")
    service._doer.shutdown()  # waits for the deletion
    assert isinstance(recorder.messages[-1], ProjectsChanged)
    assert not (home.projects / "broken").exists()


def test_first_list_grows_from_the_most_recently_used(
    home: Home, service: ProjectsService, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "FIRST_SIGHT_S", -1.0)
    create_projects(home, "one", "two", "three")
    service._read()
    assert lists(recorder) == [["one"], ["one", "two"], ["one", "two", "three"], ["one", "two", "three"]]
    os.utime(home.projects / "three" / DATABASE)
    service._read()
    assert lists(recorder)[4:] == [["three", "one", "two"]]


def test_failed_prompt_write_leaves_no_project(
    home: Home, service: ProjectsService, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    (tmp_path / "p.md").write_text("Answer in one word.")
    request = NewProject("bank", ProjectSettings(), str(tmp_path / "p.md"))
    with monkeypatch.context() as broken:
        broken.setattr(PromptTable, "set", full)
        service._make(request)
    (failed,) = recorder.messages
    assert isinstance(failed, ProjectsFailed)
    assert failed.field == "name"
    assert not (home.projects / "bank").exists()
    service._make(request)
    assert isinstance(recorder.messages[-1], ProjectReady)


def test_unexpected_errors_are_reported_by_every_request(
    service: ProjectsService, recorder: Recorder, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object) -> None:
        raise KeyError("x")

    for name in ("archive", "delete", "_read_prompt", "model_name", "project_folders", "duplicate"):
        monkeypatch.setattr(projects, name, fails)
    with Project.create(home.projects / "one", home=home):
        pass
    service.archive(home.projects / "one")
    service.delete(home.projects / "one")
    service.duplicate(home.projects / "one", "two", "runs")
    service.make(NewProject("two", ProjectSettings()))
    service.read()
    service.look_at_prompt("a.md")
    service._doer.shutdown()
    service._reader.shutdown()
    failed = recorder.of(ProjectsFailed)
    assert sorted(message.field for message in failed) == ["", "", "list", "name", "student"]
    assert {message.error.message for message in failed} == {"KeyError: 'x'"}
    assert [message.readable for message in recorder.of(PromptLookedAt)] == [False]
