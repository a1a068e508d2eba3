"""Toasts cover the page, so the same text appears once, few are shown, and problems stay longest."""

from typing import cast

import pytest
from textual.notifications import Notification
from textual.widgets._toast import Toast

from engine.errors import UsageError
from engine.paths import Home
from tests.tui.piloting import SIZES, open_app, screen_text, shown, until, wait_for_form, wait_for_text
from tests.tui.seeds import make_stage
from tui.widgets.toasts import MOST, Toasts, few


def messages(toasts: Toasts) -> list[str]:
    return [each.message for each in toasts]


def test_message_replaces_every_earlier_message_and_no_problem() -> None:
    toasts = Toasts()
    toasts.add(Notification("broken", severity="error"))
    for text in ("a", "b", "c"):
        toasts.add(Notification(text))
    assert messages(toasts) == ["broken", "c"]
    toasts.add(Notification("worse", severity="warning"))
    assert messages(toasts) == ["broken", "c", "worse"]


def test_oldest_problem_is_dropped_and_none_is_shown_twice() -> None:
    toasts = Toasts()
    for number in range(MOST + 1):
        toasts.add(Notification(f"worse {number}", severity="warning"))
    assert messages(toasts) == [f"worse {number}" for number in range(1, MOST + 1)]
    toasts.add(Notification("worse 1", severity="warning"))
    assert messages(toasts) == ["worse 2", "worse 3", "worse 1"]


def test_problems_that_are_not_shown_are_counted() -> None:
    errors = [UsageError(f"{number}", "", "") for number in range(6)]
    assert [str(error.title) for error in few(errors)] == ["0.", "1.", "4 more problems with the settings."]
    assert few(errors[:MOST]) == errors[:MOST]


async def test_form_is_not_covered_by_earlier_messages(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        app.notify("The split was undone.")
        app.notify("It is gone.", severity="error")
        await pilot.press("comma")
        await wait_for_form(pilot)
        assert messages(cast("Toasts", app._notifications)) == ["It is gone."]


@pytest.mark.parametrize("size", [(60, 20), *SIZES])
async def test_toast_shows_its_last_word(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, None)
    async with app.run_test(size=size, notifications=True) as pilot:
        for words, last in (
            ("The questions are split. u undoes", " it."),
            ("Finding out what the changes affect", " …"),
        ):
            app.notify(words + last)
            await wait_for_text(pilot, screen_text, last)


async def test_repeated_key_shows_one_toast(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: len(app.screen_stack) > 1)
        await pilot.press("x", "x", "x", "x")
        await until(pilot, lambda: len(app.screen.query(Toast)) == 1)
        await pilot.press("r")
        await until(pilot, lambda: 1 <= len(app.screen.query(Toast)) <= MOST)


async def test_toast_covers_only_the_rows_of_its_text(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: len(app.screen_stack) > 1)
        app.notify("The split was undone.")
        await until(pilot, lambda: [toast.outer_size.height for toast in app.screen.query(Toast)] == [1])
