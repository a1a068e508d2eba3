"""Asks for confirmation of something that cannot be undone. Knows nothing of what that is."""

from collections.abc import Callable

from textual.app import App

from tui.forms.screen import Field, FormScreen, Values

_NO, _YES = "no", "yes"


def confirm(app: App[object], title: str, words: str, go: str, then: Callable[[], None]) -> None:
    """Ask in a form, and call `then` if the answer is yes. A key pressed twice opens one form."""

    def answered(values: Values | None) -> None:
        if is_confirmed(values):
            then()

    if not isinstance(app.screen, FormScreen):
        app.push_screen(confirm_form(title, words, go), answered)


def confirm_form(title: str, words: str, go: str) -> FormScreen:
    """Return the form; `words` say what would be lost, `go` what would be done."""
    return FormScreen(title, [Field("sure", go, _NO, choices=(_NO, _YES))], aside=lambda _values: words)


def is_confirmed(values: Values | None) -> bool:
    """Whether the answer is yes; leaving the form counts as no."""
    return values is not None and values["sure"] == _YES
