"""The palette offers every action of where the person is, and does what it says; letters lead to every field."""

import pytest
from textual.app import App
from textual.command import CommandPalette
from textual.widgets import Input

from engine.jobs.wishes import read_wish
from engine.paths import Home
from engine.project import Project
from tests.tui.piloting import open_app, shown, until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS, PANES
from tui.screens.form.screen import Field, FormScreen
from tui.screens.jump.screen import JumpScreen
from tui.screens.workspace.screen import WorkspaceScreen

MOVES = {"line_down", "line_up", "page_down", "page_up", "first", "last"}


@pytest.mark.parametrize("number", range(len(PANES)), ids=PANES)
async def test_the_palette_offers_every_action_of_the_pane_of_the_workspace_and_of_everywhere(
    home: Home, number: int
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press(str(number + 1))
        await until(pilot, lambda: shown(app) == PANES[number])
        offered = {command.help for command in app.get_system_commands(app.screen)}
        places = (PANES[number], "workspace", "everywhere")
        expected = {action.help for place in places for action in ACTIONS[place] if action.id not in MOVES}
        assert expected <= offered
        assert {f"Show the {pane} pane." for pane in PANES} <= offered


async def test_what_is_chosen_by_name_is_done(home: Home) -> None:
    folder = make_stage(home, "generating")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        with Project.open(folder, home) as project:
            job_folder = folder / project.jobs.all()[0].folder
        await pilot.press("ctrl+p")
        await until(pilot, lambda: CommandPalette.is_open(app))
        await pilot.press(*"pause")
        await until(pilot, lambda: app.screen.query("CommandList").first().option_count > 0)
        await pilot.press("enter")
        await until(pilot, lambda: read_wish(job_folder) == "pause")


async def test_a_letter_goes_to_its_field() -> None:
    app: App[None] = App()
    form = FormScreen("A form", [Field("one", "one"), Field("two", "two"), Field("three", "three")])
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(form)
        assert isinstance(app.focused, Input)
        chosen: list[object] = []
        await app.push_screen(JumpScreen([(w, w.region.offset) for w in form.focus_chain]), chosen.append)
        await pilot.press("d")
        assert chosen == [form.query_one("#field-three")]


async def test_another_key_leaves_the_letters(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.focused is not None and bool(app.focused.region.area))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
