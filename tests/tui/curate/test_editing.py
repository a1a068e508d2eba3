"""Editing an answer in the review: in the app, and in the user's own editor."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.errors import StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from tests.tui.curate.review_helpers import open_review, review_text, stored_examples
from tests.tui.piloting import SIZES, press_at_once, screen_text, until, wait_for_form, wait_for_toast
from tui.app import DistillApp
from tui.screens.curate.editing import AnswerScreen
from tui.screens.curate.screen import CurateScreen


async def open_editor(pilot: Pilot[int], app: DistillApp) -> AnswerScreen:
    """Open the review if it is not, and in it the editor on the first answer."""
    if not isinstance(app.screen, CurateScreen):
        await open_review(pilot, app)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, AnswerScreen) and app.focused is not None)
    assert isinstance(app.screen, AnswerScreen)
    return app.screen


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", ["ctrl+g", "ctrl+s", "f10"])
async def test_edited_answer_is_saved_and_accepted(home: Home, folder: Path, size: tuple[int, int], key: str) -> None:
    app = DistillApp(home, folder)
    before = stored_examples(folder, home)[0].answer
    async with app.run_test(size=size, notifications=True) as pilot:
        editor = await open_editor(pilot, app)
        assert "what should I do now?" in screen_text(app)
        assert "cancel" in screen_text(app)
        await pilot.press(*"Hi. ax?q")
        assert editor.area.text == f"Hi. ax?q{before}", "letters are text here"
        await pilot.press(key)
        await until(pilot, lambda: "edited" in review_text(app))
        await wait_for_toast(pilot, "Edited; it fails rule 1")
    row = stored_examples(folder, home)[0]
    assert (row.answer, row.state, row.by_person) == (f"Hi. ax?q{before}", "accepted", True)


async def test_cancelling_asks_only_if_typed_text_would_be_lost(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    before = stored_examples(folder, home)[0]
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        editor = await open_editor(pilot, app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
        editor = await open_editor(pilot, app)
        await pilot.press("x", "escape")
        await wait_for_form(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is editor)
        assert editor.area.text.startswith("x")
        await pilot.press("ctrl+underscore")
        assert editor.area.text == before.answer
        await pilot.press("ctrl+y", "escape")
        await wait_for_form(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
    assert stored_examples(folder, home)[0] == before


async def test_empty_answer_is_not_saved(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        editor = await open_editor(pilot, app)
        editor.area.clear()
        await pilot.press("ctrl+g")
        await until(
            pilot, lambda: "✗ An empty answer cannot be saved; in the review, x rejects it." in screen_text(app)
        )
        assert app.screen is editor


async def test_answer_that_the_field_would_change_is_left_to_the_own_editor(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        project.decisions.decide([Decision(1, "edit", "person", edited_answer="One\x0bTwo")])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("e")
        await wait_for_toast(pilot, "E opens your editor")


async def test_edit_in_an_external_editor_is_stored(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.terminal.editor.edit_text", lambda text: text.replace("Please", "Do"))
    monkeypatch.setattr(DistillApp, "suspend", lambda self: nullcontext())
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("E")
        await until(pilot, lambda: ". Do call the desk." in stored_examples(folder, home)[0].answer)
        await until(pilot, lambda: "edited" in review_text(app))


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
def test_editor_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, folder: Path, size: tuple[int, int]
) -> None:
    app = DistillApp(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        (await open_editor(pilot, app)).area.cursor_blink = False
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)


async def test_letters_after_the_edit_key_decide_nothing(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    before = stored_examples(folder, home)[0]
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        press_at_once(app, "e", "e", "a", "x", "q")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen) and app.focused is not None)
        assert [isinstance(screen, AnswerScreen) for screen in app.screen_stack].count(True) == 1
        await pilot.pause(0.2)
    assert stored_examples(folder, home)[0] == before


async def test_quitting_asks_before_typed_text_is_lost(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        editor = await open_editor(pilot, app)
        await pilot.press("x", "ctrl+q")
        form = await wait_for_form(pilot)
        assert form.heading == "Quit and discard what you typed?"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is editor)
        assert editor.area.text.startswith("x")
        assert app.is_running


async def test_answer_that_cannot_be_stored_comes_back(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise StoreError("The disk is full.", "Nothing was written.", "Free some space.")

    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_editor(pilot, app)
        await pilot.press("x")
        with monkeypatch.context() as patch:
            patch.setattr("tui.services.review.edit", refuse)
            await pilot.press("ctrl+s")
            await wait_for_toast(pilot, "Nothing was written.")
            await until(pilot, lambda: isinstance(app.screen, AnswerScreen) and app.screen.area.text.startswith("x"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
        await until(pilot, lambda: stored_examples(folder, home)[0].answer.startswith("x"))
