"""The footer: six keys at most, from the action table."""

from collections.abc import Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from tui.actions import Action
from tui.widgets.lines import ACCENT, DIM

_GAP = 3
_STAY = ("help", "quit")  # the help lists all others


class KeysChanged(Message):
    """The keys in the footer may no longer be those that hold."""


class Footer(Widget):
    """One line of keys. If not all fit, the last ones before the way out, help and quit are left out."""

    DEFAULT_CSS = "Footer { dock: bottom; height: 1; padding: 0 1; }"

    def __init__(self, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self._actions = actions

    def show(self, actions: tuple[Action, ...]) -> None:
        """Show these actions instead."""
        if actions != self._actions:
            self._actions = actions
            self.refresh()

    def render(self) -> RenderResult:
        """Draw the keys in the accent colour and their labels dim."""
        return _line(self._fitting)

    def on_click(self, event: Click) -> None:
        """Press the key that was clicked."""
        place = event.get_content_offset(self)
        start = 0
        for action in self._fitting if place is not None else ():
            end = start + _line([action]).cell_length - _GAP
            if place is not None and start <= place.x < end:
                self.app.simulate_key(action.keys.partition(",")[0])
            start = end + _GAP

    @property
    def _fitting(self) -> list[Action]:
        """The actions that fit."""
        shown = list(self._actions)
        while len(shown) > 1 and _line(shown).cell_length - _GAP > self.size.width:
            shown.remove(
                next((each for each in reversed(shown) if each.id not in _STAY and not each.leaves), shown[-1])
            )
        return shown


def _line(actions: Sequence[Action]) -> Content:
    parts = (((each.shown, ACCENT), " ", (each.label, DIM), " " * _GAP) for each in actions)
    return Content.assemble(*(piece for part in parts for piece in part))
