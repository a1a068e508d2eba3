"""What the tests of all panes share: notifications, and a form that is ready for its picture."""

from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.piloting import until
from tui.app import DistillApp


def messages(app: DistillApp) -> list[str]:
    """The messages of all notifications, in order."""
    return [note.message for note in app._notifications]


def notified(app: DistillApp, text: str) -> bool:
    """Whether a notification contains `text`."""
    return any(text in message for message in messages(app))


async def show_whole_aside(pilot: Pilot[int]) -> None:
    """Before a snapshot: stop the cursors from blinking, and wait until the note of a form has all its rows."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    asides = list(pilot.app.screen.query("#aside").results(Static))
    await until(pilot, lambda: all(aside.size.height > str(aside.visual).count("\n") for aside in asides))
