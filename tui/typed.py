"""How the app receives input: every byte is read, and no key acts on an invisible screen. Knows no action."""

from textual.app import App
from textual.driver import Driver
from textual.events import Event, Key, Paste

from tui.terminal.driver import reading_all
from tui.widgets.placed import PlacedScreen


class TypedApp(App[int]):
    """An app with our way of receiving input."""

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice for this platform, with our own input reader if there is one."""
        return reading_all(super().get_driver_class())

    async def on_event(self, event: Event) -> None:
        """In a window too small to show anything, let through only the keys that quit."""
        if isinstance(event, Key | Paste) and isinstance(self.screen, PlacedScreen) and self.screen.is_unseen:
            bound = self.active_bindings.get(event.key) if isinstance(event, Key) else None
            if bound is None or bound.binding.action.removeprefix("app.") != "quit":
                return
        await super().on_event(event)
