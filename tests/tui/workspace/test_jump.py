"""Jump labels: letters that lead to stations, rows and fields."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from engine.paths import Home
from tests.tui.piloting import SIZES, facts_of, go_to_pane, open_app, shown, text_of, until
from tests.tui.seeds import make_stage
from tui.forms.screen import Field, FormScreen
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.rules_view import RulesView
from tui.panes.questions.pane import QuestionsPane
from tui.screens.jump.screen import LETTERS, JumpScreen, Target, labels, targets_on
from tui.screens.workspace.rail import Rail, Spine
from tui.screens.workspace.screen import WorkspaceScreen
from tui.widgets.page import Page


async def test_label_focuses_its_field() -> None:
    app: App[None] = App()
    form = FormScreen("A form", [Field("one", "one"), Field("two", "two"), Field("three", "three")])
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(form)
        assert isinstance(app.focused, Input)
        chosen: list[Target | None] = []
        await app.push_screen(JumpScreen(targets_on(app.screen)), chosen.append)
        await pilot.press("d")
        assert chosen[0] is not None
        chosen[0].go()
        await until(pilot, lambda: form.query_one("#field-three").has_focus)


async def test_escape_closes_the_labels(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.focused is not None and bool(app.focused.region.area))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))


@given(st.integers(0, 26 * 26))
def test_labels_are_unique_and_none_is_a_prefix_of_another(count: int) -> None:
    made = labels(count)
    assert len(made) == len(set(made)) == count
    assert not any(one != other and other.startswith(one) for one in made[:40] for other in made)
    assert count > len(LETTERS) or all(len(label) == 1 for label in made)


async def press_label(pilot: Pilot[int], matches: Callable[[Target], bool]) -> None:
    """Press the label of the first matching target."""
    app = pilot.app
    found = targets_on(app.screen)
    place = next(index for index, target in enumerate(found) if matches(target))
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(app.screen, JumpScreen))
    await pilot.press(*labels(len(found))[place])


@pytest.mark.parametrize("size", SIZES)
async def test_labels_lead_to_stations_and_visible_rows(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "rules" in text_of(app, PromptPane))
        rules = app.screen.query_one(RulesView)
        await pilot.pause()
        where = rules.query_one(Page).content_region
        assert len(facts_of(app).rules) >= 2
        # The second row of the rules.
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
