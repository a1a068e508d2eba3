"""A form that opens late: its contents are looked up first, and by then the user may be elsewhere."""

from collections.abc import Callable

from textual.widget import Widget
from textual.widgets import Input, TextArea

from tui.forms.screen import FormScreen
from tui.keys import key_of


def open_if_shown(
    form: FormScreen, answered: Callable[[dict[str, str] | None], None], asking: Widget, *action: str
) -> bool:
    """Open the form if the `asking` pane or screen is still shown and no text is being typed there.

    Otherwise the user is shown the key of the `action` that asks again, unless that form is already open: a key
    pressed twice opens one form. Returns whether this form was opened.
    """
    on = asking.app.screen
    if on is asking.screen and asking.display and not isinstance(on.focused, Input | TextArea):
        asking.app.push_screen(form, answered)
        return True
    if not (isinstance(on, FormScreen) and on.heading == form.heading):
        again = f"Press {key_of(*action)} to open it."
        asking.app.notify(f"The form did not open because you were elsewhere. {again}", title=form.heading)
    return False
