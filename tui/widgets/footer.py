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
_STAY = ("help", "quit")  # the help tells all others


class KeysChanged(Message):
    """Other keys hold now than those that the footer tells."""


class Footer(Widget):
    """One line of keys. Where not all fit, the last before help and quit are left out whole."""

    DEFAULT_CSS = "Footer { dock: bottom; height: 1; padding: 0 1; }"

    def __init__(self, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self._actions = actions

    def show(self, actions: tuple[Action, ...]) -> None:
        """Tell other keys."""
        if actions != self._actions:
            self._actions = actions
            self.refresh()

    def render(self) -> RenderResult:
        """The keys in the accent, their words quiet."""
        return _line(self._told)

    def on_click(self, event: Click) -> None:
        """A click on a key presses it."""
        place = event.get_content_offset(self)
        start = 0
        for action in self._told if place is not None else ():
            end = start + _line([action]).cell_length - _GAP
            if place is not None and start <= place.x < end:
                self.app.simulate_key(action.keys.partition(",")[0])
            start = end + _GAP

    @property
    def _told(self) -> list[Action]:
        """Those that have room."""
        told = list(self._actions)
        while len(told) > 1 and _line(told).cell_length - _GAP > self.size.width:
            told.remove(next((action for action in reversed(told) if action.id not in _STAY), told[-1]))
        return told


def _line(actions: Sequence[Action]) -> Content:
    parts = (((each.shown, ACCENT), " ", (each.label, DIM), " " * _GAP) for each in actions)
    return Content.assemble(*(piece for part in parts for piece in part))
