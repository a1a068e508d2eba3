"""The toasts on the screen: no duplicates, and only a few at a time, because they cover the page."""

from textual.notifications import Notification, Notifications

MOST = 3
LOW = "Toast { padding: 0 1; }"  # no rows but those of the text


class Toasts(Notifications):
    """Textual's notifications, limited in number: the oldest are dropped, except warnings and errors."""

    def add(self, notification: Notification) -> "Toasts":
        """Add a notification, replacing any with the same text."""
        content = notification.title, notification.message
        for older in list(self):
            if (older.title, older.message) == content:
                del self[older]
        super().add(notification)
        words = [older for older in list(self)[:-1] if older.severity == "information"]
        for older in words[: max(len(self) - MOST, 0)]:
            del self[older]
        return self
