"""What was told for a while and is still seen: the same words once, and few at a time, for they lie over the page."""

from textual.notifications import Notification, Notifications

MOST = 3


class Told(Notifications):
    """As Textual's own. Where too many would stand there the oldest goes, but none that tells of something wrong."""

    def add(self, notification: Notification) -> "Told":
        """Add one in the place of what said the same."""
        said = notification.title, notification.message
        for older in list(self):
            if (older.title, older.message) == said:
                del self[older]
        super().add(notification)
        words = [older for older in list(self)[:-1] if older.severity == "information"]
        for older in words[: max(len(self) - MOST, 0)]:
            del self[older]
        return self
