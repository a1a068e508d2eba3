"""What the palette offers: every action that can be done where the person is, and every pane with its own.

Knows the action table and who carries it; knows nothing of what the actions do.
"""

from collections.abc import Iterator, Mapping

from textual.app import App, SystemCommand
from textual.dom import DOMNode

from tui.actions import ACTIONS, PANE_KEYS, Action, PaneName, Place, as_read

# Moving through a list by palette is of no use to anybody.
_BY_KEY_ONLY = {"line_down", "line_up", "page_down", "page_up", "first", "last"}


def commands(app: App[int], carriers: list[tuple[Place, DOMNode]], own: Mapping[str, str]) -> Iterator[SystemCommand]:
    """The actions of these places, the nearest place first, each with its keys; then the other panes and theirs.

    `own`: a person's own keys, by place and action.
    """
    for place, carrier in carriers:
        for action in ACTIONS[place]:
            if action.id not in _BY_KEY_ONLY:
                yield _command(app, action, own.get(f"{place}.{action.id}", action.keys), carrier)
        if place == "workspace":
            here = {place for place, _ in carriers}
            for pane in PANE_KEYS:
                if pane not in here:
                    yield from _elsewhere(app, pane, own, carrier)
            for pane, key in PANE_KEYS.items():
                yield SystemCommand(
                    f"{pane.capitalize()}   {as_read(own.get(f'workspace.{pane}', key))}",
                    f"Show the {pane} pane.",
                    lambda pane=pane, carrier=carrier: app.run_action(f"pane('{pane}')", carrier),
                )


def _elsewhere(app: App[int], pane: PaneName, own: Mapping[str, str], carrier: DOMNode) -> Iterator[SystemCommand]:
    """What another pane can do: it is shown, and does it there."""
    for action in ACTIONS[pane]:
        if action.id not in _BY_KEY_ONLY:
            keys = as_read(own.get(f"{pane}.{action.id}", action.keys))
            yield SystemCommand(
                f"{pane.capitalize()}: {action.label}   {PANE_KEYS[pane]} {keys}",
                action.help,
                lambda action=action: app.run_action(f"do_in('{pane}', '{action.id}')", carrier),
            )


def _command(app: App[int], action: Action, keys: str, carrier: DOMNode) -> SystemCommand:
    title = f"{action.label.capitalize()}   {as_read(keys)}"
    return SystemCommand(title, action.help, lambda: app.run_action(action.id, carrier))
