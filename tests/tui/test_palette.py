"""The palette offers every action of where the person is, and does what it says; letters lead to every field."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App
from textual.command import CommandList, CommandPalette
from textual.content import Content
from textual.fuzzy import Matcher
from textual.pilot import Pilot
from textual.widgets import Input

from engine.jobs.wishes import read_wish
from engine.paths import Home
from engine.project import Project
from tests.tui.panes.measured import make_compared
from tests.tui.piloting import SIZES, facts_of, open_app, reach, shown, text_of, until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS, PANES
from tui.forms.screen import Field, FormScreen
from tui.keys import with_keys
from tui.palette import open_palette
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.rules_view import RulesView
from tui.panes.questions.pane import QuestionsPane
from tui.panes.run.pane import RunPane
from tui.screens.jump.screen import LETTERS, JumpScreen, Target, labels, targets_on
from tui.screens.workspace.found import highlighted
from tui.screens.workspace.rail import Rail, Spine
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.settings import Memory
from tui.widgets.page import Page

BY_KEY_ONLY = {"line_down", "line_up", "page_down", "page_up", "first", "last", "command_palette"}


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
        expected = {
            with_keys(action.help) for place in places for action in ACTIONS[place] if action.id not in BY_KEY_ONLY
        }
        assert expected <= offered
        assert {f"Show the {pane} pane." for pane in PANES} <= offered


async def test_ctrl_q_leaves_from_the_palette_and_q_is_typed_there(home: Home) -> None:
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
async def test_the_app_can_be_left_at_any_moment_of_the_palettes_opening(by_exit: bool) -> None:
    for turns in range(0, 60, 2):
        app: App[int] = App()
        async with app.run_test(size=(80, 24)):
            open_palette(app)
            for _ in range(turns):
                await asyncio.sleep(0)
            if by_exit:
                app.exit(0)


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


async def look_up(pilot: Pilot[int], words: str, expected: Callable[[list[str]], bool]) -> None:
    """Open the palette, type words, wait until it finds what is expected, and take the first of it."""
    await pilot.press("ctrl+p")
    await until(pilot, lambda: CommandPalette.is_open(pilot.app))
    await pilot.press(*("space" if letter == " " else letter for letter in words))

    def found() -> list[str]:
        return [str(option.hit.text) for option in pilot.app.screen.query_one(CommandList).options]

    await until(pilot, lambda: bool(found()) and expected(found()))
    await pilot.press("enter")


async def test_runs_and_evaluations_are_found_by_number_and_by_words_and_opened(home: Home) -> None:
    app = open_app(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await look_up(pilot, "run 2", lambda found: found[0].startswith("Run 2   KL + cross-entropy · rank 32 ·"))
        await until(pilot, lambda: "Run 2   validation KL" in text_of(app, RunPane))
        assert "watching 1 of 2" in text_of(app, RunPane), "its log is read"
        await pilot.press("escape")
        await until(pilot, lambda: "Run 3   validation KL" in text_of(app, RunPane))
        await look_up(pilot, "rate 0.0001", lambda found: [name.split("   ")[0] for name in found] == ["Run 1"])
        await until(pilot, lambda: "Run 1   validation KL" in text_of(app, RunPane))
        await look_up(pilot, "evaluation fail", lambda found: len(found) == 1 and found[0].startswith("Evaluation 1 "))
        await until(pilot, lambda: "✗ fail" in text_of(app, EvaluationPane))
        assert "2 of 8 questions" in text_of(app, EvaluationPane), "its own answers are read"
        await pilot.press("escape")
        await until(pilot, lambda: "✓ pass" in text_of(app, EvaluationPane))


async def test_a_letter_goes_to_its_field() -> None:
    app: App[None] = App()
    form = FormScreen("A form", [Field("one", "one"), Field("two", "two"), Field("three", "three")])
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(form)
        assert isinstance(app.focused, Input)
        chosen: list[Target | None] = []
        await app.push_screen(JumpScreen(targets_on(form)), chosen.append)
        await pilot.press("d")
        assert chosen[0] is not None
        chosen[0].go()
        await until(pilot, lambda: form.query_one("#field-three").has_focus)


async def test_another_key_leaves_the_letters(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.focused is not None and bool(app.focused.region.area))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))


@given(st.integers(0, 26 * 26))
def test_every_label_is_one_or_two_letters_and_begins_no_other(count: int) -> None:
    made = labels(count)
    assert len(made) == len(set(made)) == count
    assert not any(one != other and other.startswith(one) for one in made[:40] for other in made)
    assert count > len(LETTERS) or all(len(label) == 1 for label in made)


async def press_label(pilot: Pilot[int], at: Callable[[Target], bool]) -> None:
    """Jump to the first target that stands there."""
    app = pilot.app
    found = targets_on(app.screen)
    place = next(index for index, target in enumerate(found) if at(target))
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(app.screen, JumpScreen))
    await pilot.press(*labels(len(found))[place])


@pytest.mark.parametrize("size", SIZES)
async def test_letters_lead_to_every_station_and_to_every_row_in_sight(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await reach(pilot, 1, PromptPane, lambda: "rules" in text_of(app, PromptPane))
        rules = app.screen.query_one(RulesView)
        await pilot.pause()
        where = rules.query_one(Page).content_region
        assert len(facts_of(app).rules) >= 2
        # Of the rows of the rules the second one.
        rows = [t.place for t in targets_on(app.screen) if where.contains_point(t.place)]
        await press_label(pilot, lambda target: target.place == rows[1])
        await until(pilot, lambda: rules.has_focus and rules.listing is not None and rules.listing.at == 1)
        rail = app.screen.query_one(Rail if size[0] >= 100 else Spine).region
        stations = [t.place for t in targets_on(app.screen) if rail.contains_point(t.place)]
        assert len(stations) == (9 if size[0] >= 100 else 7)
        await press_label(pilot, lambda target: target.place == stations[1])
        await until(pilot, lambda: shown(app) == "questions")
        list_pane = app.screen.query_one(QuestionsPane)
        await until(pilot, lambda: list_pane.state.total > 3)
        await pilot.pause()
        rows = [t.place for t in targets_on(app.screen) if list_pane.region.contains_point(t.place)]
        await press_label(pilot, lambda target: target.place == rows[3])
        await until(pilot, lambda: list_pane.state.where.cursor in (2, 3))


async def test_other_projects_are_offered_as_long_as_they_are_there_and_a_name_is_no_markup(
    home: Home, tmp_path: Path
) -> None:
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
    """What the palette shows, by name."""
    prompts = [option.prompt for found in app.screen.query(CommandList) for option in found.options]
    return [each.plain.splitlines()[0] if isinstance(each, Content) else str(each).splitlines()[0] for each in prompts]


async def test_what_another_pane_does_is_chosen_by_name(home: Home) -> None:
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        offered = {command.title: command for command in app.get_system_commands(app.screen)}
        await offered["Questions: topics   2 T"].callback()
        await until(pilot, lambda: shown(app) == "questions")
        await until(pilot, lambda: app.screen.query_one(QuestionsPane).state.mode == "topics")


def test_signs_in_a_runs_title_are_no_markup() -> None:
    title = "Run 3   [@click=app.quit]device[/x] · rank 16"
    shown = highlighted(Matcher("rank"), title)
    assert shown.plain == title
    assert {title[span.start] for span in shown.spans} == set("rank")
