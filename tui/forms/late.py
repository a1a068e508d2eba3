"""A form that cannot open at once: what it asks about is found out first, and by then the person may be elsewhere."""

from collections.abc import Callable

from textual.widget import Widget
from textual.widgets import Input, TextArea

from tui.forms.screen import FormScreen
from tui.keys import key_of


def open_late(
    form: FormScreen, answered: Callable[[dict[str, str] | None], None], asking: Widget, *action: str
) -> bool:
    """Open the form where the `asking` pane or screen is still looked at, and no words are typed there.

    Else the person is told the key of the `action` that asks again; not where that form is open already, for a key
    that is pressed twice opens one. Returns whether the form is open now.
    """
    on = asking.app.screen
    if on is asking.screen and asking.display and not isinstance(on.focused, Input | TextArea):
        asking.app.push_screen(form, answered)
        return True
    if not (isinstance(on, FormScreen) and on.heading == form.heading):
        asking.app.notify(f"It could not be asked while you are elsewhere; {key_of(*action)} asks.", title=form.heading)
    return False
