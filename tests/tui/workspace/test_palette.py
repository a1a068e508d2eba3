"""The command palette offers and carries out every available action, and finds runs, evaluations and projects."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.command import Command, CommandList, CommandPalette
from textual.content import Content
from textual.fuzzy import Matcher
from textual.pilot import Pilot
from textual.widgets import Input

from engine.jobs.control_file import read_command
from engine.paths import Home
from engine.project import Project
from tests.tui.panes.measured_projects import make_compared
from tests.tui.piloting import (
    open_app,
    shown,
    text_of,
    until,
    workspace,
)
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS, PANES, Place
from tui.app import DistillApp
from tui.keys import with_keys
from tui.palette import Palette, open_palette
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.questions.pane import QuestionsPane
from tui.panes.run.pane import RunPane
from tui.screens.workspace.found import highlighted
from tui.services.settings import Memory

NOT_IN_PALETTE = {"line_down", "line_up", "page_down", "page_up", "first", "last", "command_palette"}


@pytest.mark.parametrize("number", range(len(PANES)), ids=PANES)
async def test_palette_offers_every_action_available_in_the_pane(home: Home, number: int) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press(str(number + 1))
        await until(pilot, lambda: shown(app) == PANES[number])
        offered = {command.help for command in app.get_system_commands(app.screen)}
        places: tuple[Place, ...] = (PANES[number], "workspace", "everywhere")
        expected = {
            with_keys(action.help) for place in places for action in ACTIONS[place] if action.id not in NOT_IN_PALETTE
        }
        assert expected <= offered
        assert {f"Show the {pane} pane." for pane in PANES} <= offered


async def test_palette_types_q_and_quits_on_ctrl_q(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("q")
        await until(pilot, lambda: app.screen.query_one(Input).value == "q")
        assert app.return_code is None
        await pilot.press("ctrl+q")
    assert app.return_code == 0


@pytest.mark.parametrize("by_exit", [False, True])
async def test_app_can_exit_at_any_moment_while_the_palette_opens(by_exit: bool) -> None:
    for turns in range(0, 60, 2):
        app: App[int] = App()
        async with app.run_test(size=(80, 24)):
            open_palette(app)
            for _ in range(turns):
                await asyncio.sleep(0)
            if by_exit:
                app.exit(0)


async def test_action_chosen_by_name_is_carried_out(home: Home) -> None:
    folder = make_stage(home, "generating")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        with Project.open(folder, home) as project:
            job_folder = folder / project.jobs.all()[0].folder
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        await pilot.press(*"pause")
        await until(pilot, lambda: app.screen.query_one(CommandList).option_count > 0)
        await pilot.press("enter")
        await until(pilot, lambda: read_command(job_folder) == "pause")


async def choose(pilot: Pilot[int], query: str, expected: Callable[[list[str]], bool]) -> None:
    """Open the palette, type the query, wait for the expected results, and choose the first."""
    await pilot.press("ctrl+p")
    await until(pilot, lambda: isinstance(pilot.app.screen, Palette))
    await pilot.press(*("space" if letter == " " else letter for letter in query))

    def found() -> list[str]:
        options = pilot.app.screen.query_one(CommandList).options
        return [str(option.hit.text) for option in options if isinstance(option, Command)]

    await until(pilot, lambda: bool(found()) and expected(found()))
    await pilot.press("enter")


async def test_runs_and_evaluations_are_found_and_opened(home: Home) -> None:
    app = open_app(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await choose(pilot, "run 2", lambda found: found[0].startswith("Run 2   KL + cross-entropy · rank 32 ·"))
        await until(pilot, lambda: "Run 2   validation KL" in text_of(app, RunPane))
        assert "watching 1 of 2" in text_of(app, RunPane), "its log is shown"
        await pilot.press("escape")
        await until(pilot, lambda: "Run 3   validation KL" in text_of(app, RunPane))
        await choose(pilot, "rate 0.0001", lambda found: [name.split("   ")[0] for name in found] == ["Run 1"])
        await until(pilot, lambda: "Run 1   validation KL" in text_of(app, RunPane))
        await choose(pilot, "evaluation fail", lambda found: len(found) == 1 and found[0].startswith("Evaluation 1 "))
        await until(pilot, lambda: "✗ fail" in text_of(app, EvaluationPane))
        assert "2 of 8 questions" in text_of(app, EvaluationPane), "its own answers are shown"
        await pilot.press("escape")
        await until(pilot, lambda: "✓ pass" in text_of(app, EvaluationPane))


async def test_existing_projects_are_offered_and_their_names_are_not_markup(home: Home, tmp_path: Path) -> None:
    memory = Memory(home, lambda _error: None)
    for name in ("refunds", "gone", "[b]bold [@click=app.quit]"):
        memory.arrange(tmp_path / name, "prompt", 0)
        if name != "gone":
            (tmp_path / name).mkdir()
    memory.close()
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        for keys in ("", "Project"):
            await pilot.press("ctrl+p", *keys)
            await until(pilot, lambda: "Project refunds" in offered(app))
            assert "Project [b]bold [@click=app.quit]" in offered(app)
            assert "Project gone" not in offered(app)
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, CommandPalette))


def offered(app: App[int]) -> list[str]:
    """Return the names that the palette shows."""
    prompts = [option.prompt for found in app.screen.query(CommandList) for option in found.options]
    return [each.plain.splitlines()[0] if isinstance(each, Content) else str(each).splitlines()[0] for each in prompts]


async def test_action_of_another_pane_opens_that_pane(home: Home) -> None:
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        offered = {command.title: command for command in app.get_system_commands(app.screen)}
        await offered["Questions: topics   2 T"].callback()
        await until(pilot, lambda: shown(app) == "questions")
        await until(pilot, lambda: app.screen.query_one(QuestionsPane).state.mode == "topics")


def test_markup_in_a_run_title_is_shown_literally() -> None:
    title = "Run 3   [@click=app.quit]device[/x] · rank 16"
    shown = highlighted(Matcher("rank"), title)
    assert shown.plain == title
    assert {title[span.start] for span in shown.spans} == set("rank")


async def test_paging_in_an_empty_palette_is_harmless(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)
        app.screen.query_one(CommandList).clear_options()
        await pilot.press("pageup", "pagedown", "escape")
        await until(pilot, lambda: workspace(app).is_active)
