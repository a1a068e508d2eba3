"""Freezing a dataset: the question about overlaps, failures, and the real subprocess."""

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.paths import Home
from engine.project import Project
from engine.records.options import ProjectSettings
from tests.hostile import hostile
from tests.tiny import make_tiny_base
from tests.tui.panes.dataset_helpers import looking, make_overlapping, open_pane, pane, text
from tests.tui.piloting import SIZES, form_aside, until, wait_for_form
from tests.tui.seeds import add_examples, make_project
from tui.app import DistillApp
from tui.screens.workspace.header import Header
from tui.screens.workspace.rail import Rail, Spine
from tui.services import program


@pytest.mark.parametrize(("keys", "state", "rows"), [((), "rejected", 29), (("right",), "accepted", 31)])
async def test_freezing_asks_whether_to_allow_overlaps(
    home: Home, freeze_commands: list[list[str]], keys: tuple[str, ...], state: str, rows: int
) -> None:
    folder = make_overlapping(home)
    async with looking(home, folder, (80, 24), "✗ 3 refused") as (pilot, app):
        await pilot.press("z")
        await wait_for_form(pilot)
        await pilot.press(*keys)
        assert ("will learn to repeat these words" in form_aside(app)) == bool(keys)
        await pilot.press("enter")
        await until(pilot, lambda: f"{rows} rows" in text(app))
    with Project.open(folder, home) as project:
        assert project.examples.get(1).state == state
        assert project.examples.get(4).state == "rejected"  # a whole message is never trained on


async def test_cancelling_the_form_freezes_nothing(home: Home, freeze_commands: list[list[str]]) -> None:
    folder = make_overlapping(home)
    async with looking(home, folder, (80, 24), "✗ 3 refused") as (pilot, app):
        await pilot.press("z")
        form = await wait_for_form(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not form)
    assert freeze_commands
    assert all("--dry-run" in args for args in freeze_commands)
    with Project.open(folder, home) as project:
        assert project.datasets.latest() is None


async def test_failed_freeze_is_reported_and_can_be_retried(
    home: Home, freeze_commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = program.carry_out

    def fails(args: list[str], folder: Path, home: Home, tell: Callable[[str], None]) -> program.Answer:
        if "--dry-run" not in args:
            raise ModelError("The model cannot be downloaded.", hostile("owner/name"), "Check the network.")
        return carry_out(args, folder, home, tell)

    monkeypatch.setattr(program, "carry_out", fails)
    with make_project(home) as project:
        add_examples(project)
    async with looking(home, home.projects / "meridian-desk", (80, 24), "what would be frozen now") as (pilot, app):
        await pilot.press("z")
        await until(pilot, lambda: "✗ The model cannot be downloaded." in text(app))
        assert "\x1b" not in text(app)
        monkeypatch.setattr(program, "carry_out", carry_out)
        await pilot.press("z")
        await until(pilot, lambda: "32 rows" in text(app))
        assert "✗" not in text(app)


@pytest.fixture
def loaded(freeze_commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A freeze waits for this event, as for a slow tokenizer."""
    carry_out, loaded = program.carry_out, threading.Event()

    def wait_for_model(args: list[str], folder: Path, home: Home, tell: Callable[[str], None]) -> program.Answer:
        assert "--dry-run" in args or loaded.wait(30)
        return carry_out(args, folder, home, tell)

    monkeypatch.setattr(program, "carry_out", wait_for_model)
    return loaded


@pytest.mark.parametrize("size", SIZES)
async def test_freeze_in_progress_is_shown_on_every_pane(
    home: Home, loaded: threading.Event, size: tuple[int, int]
) -> None:
    with make_project(home) as project:
        add_examples(project)
    async with looking(home, home.projects / "meridian-desk", size, "what would be frozen now") as (pilot, app):
        header, station = app.screen.query_one(Header), app.screen.query_one(Rail if size[0] > 100 else Spine)
        await pilot.press("z", "1")
        await until(pilot, lambda: "● freezing" in header.plain and "next" not in header.plain)
        words = " ".join(station.plain.split())
        assert "Dataset ● freezing" in words or "●dataset" in words
        assert "freeze" not in words
        loaded.set()
        await until(pilot, lambda: "freezing" not in header.plain + station.plain)


async def test_elapsed_time_is_updated_while_freezing(home: Home, loaded: threading.Event) -> None:
    with make_project(home) as project:
        add_examples(project)
    async with looking(home, home.projects / "meridian-desk", (80, 24), "what would be frozen now") as (pilot, app):
        await pilot.press("z")

        def elapsed_s() -> int:
            found = re.search(r"freezing   (\d+) s", text(app))
            return int(found[1]) if found else -1

        await until(pilot, lambda: elapsed_s() >= 0)
        before = elapsed_s()
        await until(pilot, lambda: elapsed_s() > before)
        loaded.set()
        await until(pilot, lambda: "32 rows" in text(app))


async def test_real_subprocesses_preview_and_freeze(home: Home, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "tiny")
    with make_project(home) as project:
        add_examples(project)
        project.settings.write(ProjectSettings(student_base=str(base)))
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: pane(app).state.preview is not None, seconds=50)
        found = pane(app).state.preview
        assert found is not None
        assert found.lengths_checked
        await pilot.press("z")
        assert "freezing" in text(app)
        await until(pilot, lambda: "by topic and split" in text(app), seconds=50)
