"""What is typed, as the app takes it: every byte is read, and nothing is done that nobody sees. Knows no action."""

from textual.app import App
from textual.driver import Driver
from textual.events import Event, Key, Paste

from tui.terminal.driver import reading_all
from tui.widgets.placed import PlacedScreen


class TypedApp(App[int]):
    """An app that is typed at."""

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice for this platform, with our way of reading where there is one."""
        return reading_all(super().get_driver_class())

    async def on_event(self, event: Event) -> None:
        """In a window that is too small to see anything, let nothing through but what leaves."""
        if isinstance(event, Key | Paste) and isinstance(self.screen, PlacedScreen) and self.screen.is_unseen:
            bound = self.active_bindings.get(event.key) if isinstance(event, Key) else None
            if bound is None or bound.binding.action.removeprefix("app.") != "quit":
                return
        await super().on_event(event)
