"""The footer: six keys at most, from the action table."""

from textual.app import RenderResult
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.actions import Action
from tui.widgets.lines import ACCENT, DIM


class KeysChanged(Message):
    """Other keys hold now than those that the footer tells."""


class Footer(Widget):
    """One line of keys; what does not fit at the right is left out whole."""

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
        line = Content("")
        for action in self._actions:
            part = Content.assemble((action.shown, ACCENT), " ", (action.label, DIM), "   ")
            if line.cell_length + part.cell_length - 3 > self.size.width:
                break
            line = Content.assemble(line, part)
        return line
