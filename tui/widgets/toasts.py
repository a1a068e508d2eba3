"""The toasts on the screen: one message and a few problems at a time, because they cover the page."""

from collections.abc import Sequence

from textual.app import App
from textual.notifications import Notification, Notifications

from engine.errors import UsageError

MOST = 3
# No rows but those of the text. Without room for the scrollbar, which is never seen: Textual (8.2.8) forgets it when it
# calculates the height, and the last line would be off the screen.
LOW = "Toast { padding: 0 1; } ToastRack { scrollbar-size-vertical: 0; }"


class Toasts(Notifications):
    """Textual's notifications, limited in number: a new message replaces the one before, a problem the oldest ones."""

    def add(self, notification: Notification) -> "Toasts":
        """Add a notification. What earlier messages said is over: an undone action must not offer its undo again."""
        content, is_message = (notification.title, notification.message), notification.severity == "information"
        alike = [older for older in self if (older.severity == "information") is is_message]
        over = alike if is_message else alike[: max(len(alike) - MOST + 1, 0)]
        for older in list(self):
            if older in over or (older.title, older.message) == content:
                del self[older]
        super().add(notification)
        return self


def clear_messages(app: App[int]) -> None:
    """Remove what is not a problem from the screen."""
    for each in list(app._notifications):  # noqa: SLF001 - Textual clears only all of them
        if each.severity == "information":
            app._unnotify(each)  # noqa: SLF001


def few(errors: Sequence[UsageError]) -> Sequence[UsageError]:
    """Return as many of these as are shown at a time; the last one then counts the others."""
    if len(errors) <= MOST:
        return errors
    left = len(errors) - MOST + 1
    return *errors[: MOST - 1], UsageError(f"{left} more problems with the settings.", "", "Restart to see them.")
