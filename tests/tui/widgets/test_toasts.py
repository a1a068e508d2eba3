"""Toasts cover the page, so the same text appears once, few are shown, and problems stay longest."""

from textual.notifications import Notification
from textual.widgets._toast import Toast

from engine.paths import Home
from tests.tui.piloting import open_app, until
from tests.tui.seeds import make_stage
from tui.widgets.toasts import MOST, Toasts


def messages(toasts: Toasts) -> list[str]:
    return [each.message for each in toasts]


def test_repeated_toast_replaces_the_earlier_one_and_moves_to_the_end() -> None:
    toasts = Toasts()
    for text in ("a", "b", "a"):
        toasts.add(Notification(text))
    assert messages(toasts) == ["b", "a"]
    toasts.add(Notification("a", title="other"))
    assert messages(toasts) == ["b", "a", "a"]


def test_oldest_information_is_dropped_first_and_problems_stay() -> None:
    toasts = Toasts()
    toasts.add(Notification("broken", severity="error"))
    for number in range(5):
        toasts.add(Notification(str(number)))
    assert messages(toasts) == ["broken", "3", "4"]
    for number in range(MOST):
        toasts.add(Notification(f"worse {number}", severity="warning"))
    assert messages(toasts) == ["broken", "worse 0", "worse 1", "worse 2"]
    toasts.add(Notification("still heard"))
    assert messages(toasts) == ["broken", "worse 0", "worse 1", "worse 2", "still heard"]


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
