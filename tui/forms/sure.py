"""Asks whether to do what nothing takes back. Knows nothing of what that is."""

from tui.forms.screen import Field, FormScreen, Values

_NO, _YES = "no", "yes"


def sure_form(title: str, words: str, go: str) -> FormScreen:
    """The question; `words` tell what would be gone, `go` what would be done."""
    return FormScreen(title, [Field("sure", go, _NO, choices=(_NO, _YES))], aside=lambda _values: words)


def is_sure(values: Values | None) -> bool:
    """Whether the answer is yes; a person who leaves the form has not said so."""
    return values is not None and values["sure"] == _YES
