"""Asks for confirmation of something that cannot be undone. Knows nothing of what that is."""

from tui.forms.screen import Field, FormScreen, Values

_NO, _YES = "no", "yes"


def confirm_form(title: str, words: str, go: str) -> FormScreen:
    """Return the form; `words` say what would be lost, `go` what would be done."""
    return FormScreen(title, [Field("sure", go, _NO, choices=(_NO, _YES))], aside=lambda _values: words)


def is_confirmed(values: Values | None) -> bool:
    """Whether the answer is yes; leaving the form counts as no."""
    return values is not None and values["sure"] == _YES
