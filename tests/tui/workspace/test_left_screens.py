"""Work that ends after its screen was left is still reported: by the workspace, or by the app over another project."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.errors import StoreError
from engine.paths import Home
from engine.project import Project
from tests.tui.curate.review_helpers import make_reviewed_project, open_review, wait_until_loaded
from tests.tui.piloting import until, wait_for_toast, workspace
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services import program
from tui.services.dataset import FREEZE, frozen_words
from tui.services.program import Answer, Program
from tui.settings import Settings
from tui.terminal.notice import BELL

DISK_ERROR = StoreError("The project cannot be written.", "The disk is full.", "Free some space.")


@pytest.fixture
def held_up() -> Iterator[threading.Event]:
    """Work waits for this, so that its screen is left before it ends."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def deciding_fails(monkeypatch: pytest.MonkeyPatch, held_up: threading.Event) -> None:
    def fail(*_: object) -> None:
        held_up.wait(30)
        raise DISK_ERROR

    monkeypatch.setattr("tui.services.review.accept", fail)


@pytest.fixture
def command_ends(monkeypatch: pytest.MonkeyPatch, held_up: threading.Event) -> None:
    """The commands that change something end with this answer, or with an error if they freeze."""
    carry_out = program.carry_out

    def answered(words: Sequence[str], folder: Path, home: Home, tell: Callable[[str], None]) -> Answer:
        if "--dry-run" in words:
            return carry_out(words, folder, home, tell)
        held_up.wait(30)
        if "freeze" in words:
            raise DISK_ERROR
        return {"accepted": 3, "rejected": 2}

    monkeypatch.setattr(program, "carry_out", answered)


@asynccontextmanager
async def reviewing(home: Home) -> AsyncIterator[tuple[Pilot[int], DistillApp]]:
    """Run the app with the review of its project open."""
    app = DistillApp(home, make_reviewed_project(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        yield pilot, app


async def leave_review(pilot: Pilot[int]) -> None:
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(pilot.app.screen, WorkspaceScreen))


async def open_other_project(pilot: Pilot[int], app: DistillApp, home: Home) -> None:
    with Project.create(home.projects / "other", home=home) as project:
        folder = project.folder
    app.show_project(folder)
    await until(pilot, lambda: workspace(app).store.folder == folder and workspace(app).state.facts is not None)


@pytest.mark.usefixtures("deciding_fails")
async def test_failed_decision_is_reported_after_the_review_was_left(home: Home, held_up: threading.Event) -> None:
    async with reviewing(home) as (pilot, _):
        await pilot.press("a")
        await leave_review(pilot)
        held_up.set()
        await wait_for_toast(pilot, "The disk is full.")


@pytest.mark.usefixtures("deciding_fails")
async def test_failed_decision_is_reported_after_the_project_was_left(home: Home, held_up: threading.Event) -> None:
    async with reviewing(home) as (pilot, app):
        await pilot.press("a")
        await open_other_project(pilot, app, home)
        held_up.set()
        await wait_for_toast(pilot, "The disk is full.")
        await wait_for_toast(pilot, "meridian-desk: a request failed")


@pytest.mark.usefixtures("command_ends")
async def test_what_the_rules_decided_is_reported_after_the_review_was_left(
    home: Home, held_up: threading.Event
) -> None:
    async with reviewing(home) as (pilot, _):
        await pilot.press("c")
        await leave_review(pilot)
        held_up.set()
        await wait_for_toast(pilot, "The rules accepted 3 and rejected 2.")


@pytest.mark.usefixtures("command_ends")
async def test_failed_freeze_rings_after_another_project_was_opened(
    home: Home, held_up: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(DistillApp, "send", lambda self, text: sent.append(text))
    app = DistillApp(home, make_stage(home, "done"), Settings(bell="always"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: workspace(app).state.facts is not None)
        commands = Program(workspace(app).store.folder, home, workspace(app))
        commands.start(FREEZE, ["curate", "freeze"], lambda _: None, frozen_words)
        await open_other_project(pilot, app, home)
        assert not sent
        held_up.set()
        await wait_for_toast(pilot, f"meridian-desk: {FREEZE} failed")
        await until(pilot, lambda: BELL in sent)
    assert f"meridian-desk: {FREEZE} failed" in "".join(sent)
