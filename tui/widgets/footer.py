"""The footer: six keys at most, from the action table; where a person has keys of their own, those."""

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from tui.actions import ACTIONS, Action, as_read
from tui.widgets.lines import ACCENT, DIM


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
        pressed = self._pressed()
        for action in self._actions:
            part = Content.assemble((_told(action, pressed), ACCENT), " ", (action.label, DIM), "   ")
            if line.cell_length + part.cell_length - 3 > self.size.width:
                break
            line = Content.assemble(line, part)
        return line

    def _pressed(self) -> dict[str, list[str]]:
        """The keys that hold now, by the name of what they do: its place, a dot and its action."""
        pressed: dict[str, list[str]] = {}
        for key, active in self.screen.active_bindings.items():
            pressed.setdefault(active.binding.id or "", []).append(key)
        return pressed


def _told(action: Action, pressed: dict[str, list[str]]) -> str:
    """The action's key as the table tells it, unless a person gave it another."""
    table = action.keys.split(",")
    for place, actions in ACTIONS.items():
        keys = pressed.get(f"{place}.{action.id}", [])
        if keys and not set(keys) & set(table) and any(each.keys == action.keys for each in actions):
            return as_read(keys[0])
    return action.shown
