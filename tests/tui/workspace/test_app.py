"""The app by its keys, over real projects: stations, help, the start screen, quitting."""

from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.station import STATIONS
from tests.hostile import control_characters
from tests.tui.hostile_project import make_hostile
from tests.tui.piloting import (
    SIZES,
    footer,
    open_app,
    pane_text,
    screen_text,
    shown,
    until,
    wait_for_text,
    workspace,
)
from tests.tui.seeds import make_project, make_stage
from tui.app import DistillApp
from tui.panes.chat.question import QuestionField
from tui.panes.pane import Pane
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.help.screen import HelpScreen
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import READ_EVERY_S, WorkspaceScreen
from tui.widgets.line import Line
from tui.widgets.page import Page


def listed_projects(app: DistillApp) -> int:
    return len(app.screen.state.rows) if isinstance(app.screen, StartScreen) else 0


async def test_empty_panes_name_the_next_command(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        commands = {3: "generate", 4: "curate freeze", 5: "generate", 6: "generate", 7: "generate"}
        for number, command in commands.items():
            await pilot.press(str(number))
            await wait_for_text(pilot, pane_text, f"distill-tui {command}")


async def test_project_is_reopened_from_the_start_screen(home: Home) -> None:
    make_stage(home, "done")
    app = open_app(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("o")
        await until(pilot, lambda: listed_projects(app) == 1)
        await pilot.press("enter")
        await until(pilot, lambda: shown(app) == "evaluation")


async def test_help_opens_and_closes(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))


async def test_f1_opens_help_for_the_focused_text_field(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        for keys in ("2 slash", "c slash", "escape escape o slash"):
            await pilot.press(*keys.split(), "question_mark")
            await until(pilot, lambda: isinstance(app.focused, Line) and app.focused.value == "?")
            await until(pilot, lambda: "enter done   esc cancel" in footer(app))
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            assert app.screen.query_one(Page).plain.startswith("Words")
            await pilot.press("f1", "escape")
            await until(pilot, lambda: "enter done" not in footer(app))
        await until(pilot, lambda: listed_projects(app) == 1)
        await pilot.press("enter")
        await until(pilot, lambda: shown(app) == "questions")
        await pilot.press("9", "i")
        await until(pilot, lambda: isinstance(app.focused, QuestionField))
        await pilot.press("question_mark", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert app.screen.query_one(Page).plain.startswith("Asking")
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.focused, QuestionField))
        assert app.screen.query_one(QuestionField).text == "?"


async def test_ctrl_c_names_the_quit_key(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("ctrl+c")
        await until(
            pilot, lambda: [each.message for each in app._notifications] == ["Press ^q to quit. Running jobs continue."]
        )
        await pilot.press("ctrl+q")
    assert app.return_code == 0


async def test_opening_another_project_closes_the_screens_of_the_first(home: Home) -> None:
    with Project.create(home.projects / "refunds", home=home) as project:
        other = project.folder
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("c", "T")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        app.show_project(other)
        await until(pilot, lambda: shown(app) == "prompt")
        assert sum(isinstance(screen, WorkspaceScreen) for screen in app.screen_stack) == 1


async def test_folder_without_a_project_is_reported(home: Home, tmp_path: Path) -> None:
    app = open_app(home, tmp_path / "nothing")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "There is no project here." in pane_text(app))
        assert app.is_running


async def test_quitting_exits_with_status_zero(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize(("number", "name"), enumerate(STATIONS, start=1))
async def test_hostile_text_is_shown_literally_in_every_station(home: Home, number: int, name: str) -> None:
    app = open_app(home, make_hostile(home, "https://h.example/v1"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press(str(number))
        await until(pilot, lambda: shown(app) == name)
        if name == "questions":
            await pilot.press("G")  # the hostile one is the last
        await until(pilot, lambda: "[@click=app.quit]" in pane_text(app))
        assert not control_characters(screen_text(app))
        assert app.is_running


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [("ctrl+o", "1", "2", "3"), ("ctrl+p", *"prompt", "enter", "enter", "enter")])
async def test_keys_during_a_closing_screen_do_not_close_the_next_one(
    home: Home, keys: tuple[str, ...], size: tuple[int, int]
) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation" and bool(app.screen.query(Pane)))
        app.simulate_key(keys[0])
        await until(pilot, lambda: len(app.screen_stack) == 3)
        await pilot.pause(0.5)
        for key in keys[1:]:
            app.simulate_key(key)
        await until(pilot, lambda: len(app.screen_stack) < 3)
        await pilot.pause(0.5)
        assert workspace(app).is_active


@pytest.mark.parametrize("key", ["slash", "0"])
async def test_key_before_the_prompt_is_drawn_is_harmless(home: Home, key: str) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation" and bool(app.screen.query(Pane)))
        app.simulate_key("1")
        app.simulate_key(key)
        await until(pilot, lambda: "You answer for Meridian" in pane_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_read_error_is_shown_above_the_pane_until_it_clears(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation" and bool(app.screen.query(Pane)))
        with monkeypatch.context() as patch:
            patch.setattr("tui.services.reading.mark_lost_jobs", raise_busy)
            await until(pilot, lambda: "Another process writes." in pane_text(app))
            await pilot.pause(2.5 * READ_EVERY_S)
            assert "Evaluation" in pane_text(app)
        await until(pilot, lambda: "Another process writes." not in pane_text(app))
        assert not app._notifications, "a toast per second would cover the page"


def raise_busy(_project: Project | None) -> None:
    raise StoreError("The project is busy.", "Another process writes.", "Wait.")
