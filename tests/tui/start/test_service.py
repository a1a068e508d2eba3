"""The projects' service without a screen: what it reads, and when it reads nothing again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.message import Message

from engine.errors import StoreError
from engine.folders import DATABASE
from engine.paths import Home
from engine.project import Project
from engine.projects import ProjectSummary, archive, look
from engine.records.options import TeacherSpec
from engine.store.prompts import PromptTable
from tests.tui.start.conftest import age, set_to_work
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


class Told:
    """Takes messages as a screen would."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def post_message(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def lists(self) -> list[list[str]]:
        return [[p.name for p in m.projects] for m in self.messages if isinstance(m, ProjectsRead)]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def service(home: Home, told: Told) -> Iterator[ProjectsService]:
    made = ProjectsService(home, told)
    yield made
    made.close()


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def counted(folder: Path, home: Home) -> ProjectSummary:
        names.append(folder.name)
        return look(folder, home)

    monkeypatch.setattr(projects, "look", counted)
    return names


def shelve(home: Home, *names: str) -> None:
    for number, name in enumerate(names):
        Project.create(home.projects / name, home=home).close()
        age(home.projects / name, 60 * number)


def test_only_what_changed_or_works_is_looked_at_again(
    home: Home, service: ProjectsService, told: Told, looked_at: list[str]
) -> None:
    shelve(home, "one", "two", "busy")
    set_to_work(home.projects / "busy", home)
    service._read()
    looked_at.clear()
    service._read()
    assert looked_at == ["busy"]
    os.utime(home.projects / "two" / DATABASE)
    archive(home.projects / "one", home)
    looked_at.clear()
    service._read()
    assert sorted(looked_at) == ["busy", "one", "two"]


def test_a_list_that_did_not_change_is_not_told_again(home: Home, service: ProjectsService, told: Told) -> None:
    shelve(home, "one")
    service._read()
    service._read()
    assert told.lists() == [["one"]]
    Project.open(home.projects / "one", home).delete()
    service._read()
    assert told.lists() == [["one"], []]


def test_a_damaged_project_is_deleted_too(home: Home, service: ProjectsService, told: Told) -> None:
    shelve(home, "broken")
    (home.projects / "broken" / DATABASE).write_text("nonsense " * 100)
    service.delete(home.projects / "broken")
    service._doer.shutdown()  # once it has done this
    assert isinstance(told.messages[-1], ProjectsChanged)
    assert not (home.projects / "broken").exists()


def test_at_first_the_last_used_are_shown_while_the_others_are_read(
    home: Home, service: ProjectsService, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "FIRST_SIGHT_S", -1.0)
    shelve(home, "one", "two", "three")
    service._read()
    assert told.lists() == [["one"], ["one", "two"], ["one", "two", "three"], ["one", "two", "three"]]
    os.utime(home.projects / "three" / DATABASE)
    service._read()
    assert told.lists()[4:] == [["three", "one", "two"]]


def test_a_prompt_that_cannot_be_stored_leaves_no_project(
    home: Home, service: ProjectsService, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    (tmp_path / "p.md").write_text("Answer in one word.")
    wanted = NewProject("bank", "starter", TeacherSpec(), str(tmp_path / "p.md"))
    with monkeypatch.context() as broken:
        broken.setattr(PromptTable, "set", full)
        service._make(wanted)
    (failed,) = told.messages
    assert isinstance(failed, ProjectsFailed)
    assert failed.field == "name"
    assert not (home.projects / "bank").exists()
    service._make(wanted)
    assert isinstance(told.messages[-1], ProjectReady)


def test_a_defect_is_told_and_nothing_stays_busy(
    service: ProjectsService, told: Told, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object) -> None:
        raise KeyError("x")

    for name in ("archive", "delete", "_read_prompt", "model_name", "project_folders", "duplicate"):
        monkeypatch.setattr(projects, name, fails)
    with Project.create(home.projects / "one", home=home):
        pass
    service.archive(home.projects / "one")
    service.delete(home.projects / "one")
    service.duplicate(home.projects / "one", "two", "all")
    service.make(NewProject("two", "starter", TeacherSpec()))
    service.read()
    service.look_at_prompt("a.md")
    service._doer.shutdown()
    service._reader.shutdown()
    failed = [message for message in told.messages if isinstance(message, ProjectsFailed)]
    assert sorted(message.field for message in failed) == ["", "", "list", "name", "student"]
    assert {message.error.message for message in failed} == {"KeyError: 'x'"}
    assert any(isinstance(message, PromptLookedAt) and not message.readable for message in told.messages)
