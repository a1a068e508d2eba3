"""Puts a letter on everything on the screen that can have the focus; the letter that is pressed chooses.

Knows nothing of what it labels.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


class JumpScreen(ModalScreen[Widget | None]):
    """Ends in the widget whose letter was pressed; any other key leaves."""

    DEFAULT_CSS = """
    JumpScreen { background: $background 40%; }
    JumpScreen Static {
        width: 3; height: 1; position: absolute; background: $accent; color: $background; text-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "leave", show=False)]

    def __init__(self, targets: Sequence[tuple[Widget, Offset]]) -> None:
        """`targets`: what can be chosen, and where on the screen its letter stands."""
        super().__init__()
        self._targets = dict(zip(LETTERS, targets, strict=False))

    def compose(self) -> ComposeResult:
        """One letter a target."""
        for letter, (_, place) in self._targets.items():
            label = Static(Content(f" {letter} "))
            label.styles.offset = (place.x, place.y)
            yield label

    def on_key(self, event: Key) -> None:
        """Choose by letter."""
        if event.key == "escape":
            return
        event.stop()
        chosen = self._targets.get(event.key)
        self.dismiss(chosen[0] if chosen is not None else None)


def targets_on(widgets: Sequence[Widget]) -> list[tuple[Widget, Offset]]:
    """Those of `widgets` that can be seen, from the top down, with the place of their first cell."""
    seen = [widget for widget in widgets if widget.region.area and not widget.disabled]
    return sorted(((widget, widget.region.offset) for widget in seen), key=lambda target: (target[1].y, target[1].x))
