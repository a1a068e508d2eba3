"""Toasts cover the page: the same text once, few at a time, errors longest."""

from textual.notifications import Notification
from textual.widgets._toast import Toast

from engine.paths import Home
from tests.tui.piloting import open_app, until
from tests.tui.seeds import make_stage
from tui.widgets.toasts import MOST, Toasts


def messages(told: Toasts) -> list[str]:
    return [each.message for each in told]


def test_the_same_words_stand_there_once_and_last_as_if_said_now() -> None:
    told = Toasts()
    for words in ("a", "b", "a"):
        told.add(Notification(words))
    assert messages(told) == ["b", "a"]
    told.add(Notification("a", title="other"))
    assert messages(told) == ["b", "a", "a"]


def test_the_oldest_goes_but_none_that_tells_of_something_wrong() -> None:
    told = Toasts()
    told.add(Notification("broken", severity="error"))
    for number in range(5):
        told.add(Notification(str(number)))
    assert messages(told) == ["broken", "3", "4"]
    for number in range(MOST):
        told.add(Notification(f"worse {number}", severity="warning"))
    assert messages(told) == ["broken", "worse 0", "worse 1", "worse 2"]
    told.add(Notification("still heard"))
    assert messages(told) == ["broken", "worse 0", "worse 1", "worse 2", "still heard"]


async def test_a_key_that_is_pressed_again_and_again_covers_the_page_once(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: len(app.screen_stack) > 1)
        await pilot.press("x", "x", "x", "x")
        await until(pilot, lambda: len(app.screen.query(Toast)) == 1)
        await pilot.press("r")
        await until(pilot, lambda: 1 <= len(app.screen.query(Toast)) <= MOST)
