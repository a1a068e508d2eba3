"""What the tests of all panes share: notifications, and the note beside a form."""

from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.piloting import until
from tui.app import DistillApp
from tui.forms.screen import FormScreen


def messages(app: DistillApp) -> list[str]:
    """The messages of all notifications, in order."""
    return [note.message for note in app._notifications]


def notified(app: DistillApp, text: str) -> bool:
    """Whether a notification contains `text`."""
    return any(text in message for message in messages(app))


def form_aside(app: DistillApp) -> str:
    """The note beside the fields of the open form; empty if no form is open."""
    return str(app.screen.query_one("#aside", Static).visual) if isinstance(app.screen, FormScreen) else ""


async def show_whole_aside(pilot: Pilot[int]) -> None:
    """Before a snapshot: stop the cursors from blinking, and wait until the note of a form has all its rows."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    for aside in pilot.app.screen.query("#aside").results(Static):
        rows = str(aside.visual).count("\n") + 1
        await until(pilot, lambda aside=aside, rows=rows: aside.size.height >= rows)
