"""Where no answer is listed every key says why, and what to do next; the page says the same."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.paths import Home
from tests.tui.curate.reviewing import SIZES, make_reviewed, opened, page, reviewing
from tests.tui.piloting import until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS
from tui.app import DistillApp

# They do what they do without an answer: other lists, words to look for, steps to take back, the way out.
WITHOUT = {"undo", "redo", "filter", "choose", "search", "back"}
NARROWED = {"check"}  # decides on answers that other lists hold


async def said_to_each_key(pilot: Pilot[int], app: DistillApp, but: set[str]) -> dict[str, str]:
    """What is said to each key that is about an answer, by its action."""
    said: dict[str, str] = {}
    for action in ACTIONS["curate"]:
        if action.id not in but:
            app.clear_notifications()
            await pilot.press(action.keys.split(",")[0])
            await until(pilot, lambda: len(app._notifications) > 0)
            said[action.id] = " ".join(note.message for note in app._notifications)
    return said


@pytest.mark.parametrize("size", SIZES)
async def test_before_anything_is_answered(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        assert "The teacher has not answered yet." in page(app)
        assert "esc 3 enter   generate answers" in page(app)
        said = await said_to_each_key(pilot, app, WITHOUT)
        assert set(said.values()) == {"The teacher has not answered yet; esc 3 enter generate answers."}
        assert len(said) == len(ACTIONS["curate"]) - len(WITHOUT)
        await pilot.press("t", "a")  # nor in any list of those
        await until(pilot, lambda: reviewing(app).where.state == "undecided" and "not answered yet" in page(app))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("t t t t", "Nothing in this list: flagged; t next filter, F choose topic or rule."),
        ("slash u n h e a r d enter", "Nothing in this list: «unheard»; esc back to the previous list."),
    ],
)
async def test_a_list_that_holds_none(home: Home, keys: str, words: str) -> None:
    folder: Path = make_reviewed(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press(*keys.split())
        await until(pilot, lambda: "Nothing in this list" in page(app))
        said = await said_to_each_key(pilot, app, WITHOUT | NARROWED)
        assert set(said.values()) == {words}
