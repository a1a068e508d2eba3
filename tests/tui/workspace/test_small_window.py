"""A window too small for the app shows a message instead; the page returns when it grows."""

import pytest
from textual.app import App
from textual.events import Paste

from engine.paths import Home
from tests.tui.piloting import footer, screen_text, until, wait_for_pane, wait_for_text
from tests.tui.seeds import make_stage
from tui.actions import PANE_KEYS
from tui.app import DistillApp
from tui.widgets.placed import LEAST_COLUMNS, LEAST_ROWS


@pytest.mark.parametrize(
    ("columns", "rows"), [(LEAST_COLUMNS - 1, LEAST_ROWS), (LEAST_COLUMNS, LEAST_ROWS - 1), (12, 3)]
)
@pytest.mark.parametrize("keys", ["", "c", "o"])
async def test_small_window_shows_its_size_instead_of_the_page(home: Home, columns: int, rows: int, keys: str) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(LEAST_COLUMNS, LEAST_ROWS), notifications=True) as pilot:
        await until(pilot, lambda: "meridian-desk" in screen_text(app))
        await pilot.press(*keys)
        assert "must be at least" not in screen_text(app)
        await pilot.resize_terminal(columns, rows)
        await until(pilot, lambda: f"{columns}x{rows}" in "".join(screen_text(app).split()))
        assert "meridian-desk" not in screen_text(app)
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "? help" in screen_text(app))
        assert "must be at least" not in screen_text(app)


def second_line(app: App[int]) -> str:
    return screen_text(app).splitlines()[1]


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        ("generating", "● generate   examples 12\u00a0%   2 min 14 s left"),
        ("failed", "✗ generate   failed   next: r resume"),
        ("done", "idle"),
    ],
)
async def test_smallest_window_shows_the_pane_and_the_state_of_work(home: Home, stage: str, status: str) -> None:
    app = DistillApp(home, make_stage(home, stage))
    async with app.run_test(size=(LEAST_COLUMNS, LEAST_ROWS), notifications=True) as pilot:
        for pane in ("prompt", "evaluation", "chat"):
            await until(pilot, lambda: status in screen_text(app))
            await pilot.press(PANE_KEYS[pane])
            await wait_for_text(pilot, second_line, pane)


async def test_footer_of_the_smallest_window_shows_help_and_quit(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(LEAST_COLUMNS, LEAST_ROWS), notifications=True) as pilot:
        await until(pilot, lambda: "meridian-desk" in screen_text(app))
        for pane in PANE_KEYS:
            await pilot.press(PANE_KEYS[pane])
            await wait_for_pane(pilot, pane)
            await until(pilot, lambda: footer(app).endswith("? help   q quit"))
            assert len(footer(app)) <= LEAST_COLUMNS - 2


async def test_keys_decide_nothing_while_the_page_is_hidden(home: Home) -> None:
    folder = make_stage(home, "done")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "meridian-desk" in screen_text(app))
        await pilot.press("c")
        await until(pilot, lambda: "32 ✓  8 ✗" in screen_text(app))
        before = screen_text(app)
        await pilot.resize_terminal(60, 18)
        await until(pilot, lambda: "must be at least" in screen_text(app))
        assert "^q quits" in screen_text(app)
        await pilot.press("x", "j", "a", "e", "escape", "slash", "z")
        app.post_message(Paste("pasted"))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "32 ✓  8 ✗" in screen_text(app))
        assert screen_text(app) == before


async def test_chat_is_scrolled_to_its_start_after_the_window_grows(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "meridian-desk" in screen_text(app))
        await pilot.press("9")
        await until(pilot, lambda: "no votes yet" in screen_text(app))
        await pilot.resize_terminal(80, 12)
        await until(pilot, lambda: "must be at least" in screen_text(app))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "compare other arms" in screen_text(app))
        assert "no votes yet" in screen_text(app)


async def test_app_can_be_quit_in_a_small_window(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(50, 18), notifications=True) as pilot:
        await until(pilot, lambda: "This window is 50x18." in screen_text(app))
        await pilot.press("q")
    assert app.return_code == 0
