"""What the palette offers: every action that can be done where the person is, and every pane.

Knows the action table and who carries it; knows nothing of what the actions do.
"""

from collections.abc import Iterator, Mapping

from textual.app import App, SystemCommand
from textual.dom import DOMNode

from tui.actions import ACTIONS, PANE_KEYS, Action, Place, as_read

# Moving through a list by palette is of no use to anybody.
_BY_KEY_ONLY = {"line_down", "line_up", "page_down", "page_up", "first", "last"}


def commands(app: App[int], carriers: list[tuple[Place, DOMNode]], own: Mapping[str, str]) -> Iterator[SystemCommand]:
    """The actions of these places, the nearest place first, each with its keys; then the panes.

    `own`: a person's own keys, by place and action.
    """
    for place, carrier in carriers:
        for action in ACTIONS[place]:
            if action.id not in _BY_KEY_ONLY:
                yield _command(app, action, own.get(f"{place}.{action.id}", action.keys), carrier)
        if place == "workspace":
            for pane, key in PANE_KEYS.items():
                yield SystemCommand(
                    f"{pane.capitalize()}   {as_read(own.get(f'workspace.{pane}', key))}",
                    f"Show the {pane} pane.",
                    lambda pane=pane, carrier=carrier: app.run_action(f"pane('{pane}')", carrier),
                )


def _command(app: App[int], action: Action, keys: str, carrier: DOMNode) -> SystemCommand:
    title = f"{action.label.capitalize()}   {as_read(keys)}"
    return SystemCommand(title, action.help, lambda: app.run_action(action.id, carrier))
