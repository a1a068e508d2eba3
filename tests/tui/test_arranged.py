"""The workspace opens as it was left, each project at its own pane; what cannot be so is as it always was."""

import pytest

from engine.paths import Home
from tests.tui.piloting import shown, until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.screens.workspace.rail import Rail
from tui.screens.workspace.state import NARROWEST_RAIL, RAIL_WIDTH, WIDEST_RAIL, WorkspaceState


async def test_a_project_opens_at_the_pane_and_width_where_it_was_left(home: Home) -> None:
    folder = make_stage(home, "done")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("f", "2", "greater_than_sign", "greater_than_sign", "greater_than_sign", "less_than_sign")
        await until(pilot, lambda: shown(app) == "questions")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "questions")
        assert not app.screen.query_one(Rail).is_on_screen
        await pilot.press("f")
        await until(pilot, lambda: app.screen.query_one(Rail).outer_size.width == RAIL_WIDTH + 4)
        await pilot.press("w", "0")
        await until(pilot, lambda: shown(app) == "evaluation")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        assert app.screen.query_one(Rail).outer_size.width == RAIL_WIDTH


@pytest.mark.parametrize(
    ("pane", "width", "expected"),
    [
        ("", 0, (None, RAIL_WIDTH)),
        ("cost", 30, ("cost", 30)),
        ("a pane of another version", 900, (None, WIDEST_RAIL)),
        ("run", 1, ("run", NARROWEST_RAIL)),
    ],
)
def test_only_what_there_is_is_restored(pane: str, width: int, expected: tuple[str | None, int]) -> None:
    state = WorkspaceState()
    state.restore(pane, width)
    assert (state.chosen, state.rail_width) == expected
