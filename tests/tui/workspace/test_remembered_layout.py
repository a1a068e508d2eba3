"""The remembered layout: a project reopens with its pane, rail width and dividers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.paths import Home
from engine.records.station import STATIONS, Station
from tests.tui.piloting import SIZES, go_to_pane, shown, until, workspace
from tests.tui.seeds import make_stage
from tui.actions import PANES
from tui.app import DistillApp
from tui.keys import hold
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.rules_view import RulesView
from tui.panes.prompt.text_view import TextView
from tui.screens.curate.screen import CurateScreen
from tui.screens.workspace.rail import _OTHERS, Rail, _other, _rail_line
from tui.screens.workspace.state import NARROWEST_RAIL, RAIL_WIDTH, WIDEST_RAIL, WorkspaceState
from tui.widgets.lines import ENDING, MARKS
from tui.widgets.page import Page
from tui.widgets.shares import DIVIDERS, LEAST, MOST, NATURAL, DividerName, Shares


async def test_project_reopens_with_its_pane_and_rail_width(home: Home) -> None:
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


@pytest.mark.parametrize("size", SIZES)
async def test_dividers_are_moved_and_remembered_per_screen(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "done")

    def text_share(app: DistillApp) -> float:
        text, rules = (app.screen.query_one(kind).outer_size for kind in (TextView, RulesView))
        parts = (text.width, rules.width) if size[0] >= 100 else (text.height, rules.height)
        return parts[0] / sum(parts)

    def list_height(app: DistillApp) -> int:
        lines = app.screen.query_one("#review", Page).plain.split("\n")
        return next(index for index, line in enumerate(lines) if line.startswith("──")) - 2

    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: text_share(app) == pytest.approx(0.6, abs=0.05))
        rail = workspace(app).state.rail_width
        await pilot.press(*["less_than_sign"] * 4)
        await until(pilot, lambda: text_share(app) == pytest.approx(0.4, abs=0.05))
        await pilot.press("R", "greater_than_sign")
        await until(pilot, lambda: text_share(app) == pytest.approx(0.45, abs=0.05))
        assert workspace(app).state.rail_width == rail
        await pilot.press("escape", "v")
        await until(pilot, lambda: app.screen.query_one(PromptPane).state.mode == "versions")
        await pilot.press("greater_than_sign")
        assert workspace(app).state.rail_width == rail + 2, "the list of versions has no divider"
        await pilot.press("escape", "c")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen) and app.screen.state.row is not None)
        before = list_height(app)
        await pilot.press("less_than_sign", "less_than_sign")
        after = list_height(app)
        assert 3 <= after < before
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: text_share(app) == pytest.approx(0.45, abs=0.05))
        await pilot.press("0", "c")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen) and app.screen.state.row is not None)
        assert list_height(app) == after
        await pilot.press("0")
        assert list_height(app) == before
        await pilot.press("escape")
        await until(pilot, lambda: shown(app) == "prompt" and text_share(app) == pytest.approx(0.6, abs=0.05))


@given(st.lists(st.tuples(st.sampled_from(DIVIDERS), st.integers(-3, 3))), st.dictionaries(st.text(), st.integers()))
def test_divider_stays_in_bounds_and_resets_to_its_default(
    moves: list[tuple[DividerName, int]], remembered: dict[str, int]
) -> None:
    shares = Shares.restored(remembered)
    for name, steps in moves:
        divider = shares.move(name, steps)
        assert (divider.name, divider.share) == (name, shares.of(name))
    assert all(LEAST <= shares.of(name) <= MOST for name in DIVIDERS)
    for name in DIVIDERS:
        shares.move(name, 0)
        assert shares.of(name) == NATURAL[name]


@pytest.mark.parametrize(
    ("pane", "width", "expected"),
    [
        ("", 0, (None, RAIL_WIDTH)),
        ("cost", 30, ("cost", 30)),
        ("a pane of another version", 900, (None, WIDEST_RAIL)),
        ("run", 1, ("run", NARROWEST_RAIL)),
    ],
)
def test_invalid_remembered_values_are_corrected(pane: str, width: int, expected: tuple[str | None, int]) -> None:
    state = WorkspaceState()
    state.restore(pane, width)
    assert (state.chosen, state.rail_width) == expected


@given(
    station=st.builds(
        Station, st.sampled_from(STATIONS), st.sampled_from(list(MARKS)), st.integers(0, 10**7), st.just("note")
    ),
    width=st.integers(NARROWEST_RAIL, WIDEST_RAIL),
    working=st.sampled_from(["", "7 %", "100 %"]),
    ending=st.booleans(),
    keys=st.dictionaries(st.sampled_from([f"workspace.{pane}" for pane in PANES]), st.sampled_from(["f6", "alt+x"])),
)
def test_rail_lines_fit_any_width_and_align_their_names(
    station: Station, width: int, working: str, keys: dict[str, str], *, ending: bool
) -> None:
    hold(keys)
    station_line = _rail_line(station, "prompt", working, width, ending=ending)
    lines = [station_line, *(_other(pane, "chat", "said", width) for pane in _OTHERS)]
    assert all(line.cell_length <= width - 1 for line in lines), "one cell is for the line beside the rail"
    name = station.name.capitalize()[:6]  # narrow rails cut long names
    mark = MARKS[station.state][0] if not ending or station.state != "running" else ENDING[0]
    assert f"{mark} " in station_line.plain, "the figure does not touch the mark"
    assert lines[0].plain.index(name) == lines[1].plain.index("Cost") == lines[2].plain.index("Chat")
