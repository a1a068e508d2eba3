"""The contents of the command palette: every action available now, and every pane with its actions.

Knows the action table and the nodes that carry the actions; knows nothing of what the actions do.
"""

from collections.abc import Iterator
from functools import partial
from inspect import unwrap
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import CommandList, CommandPalette
from textual.dom import DOMNode
from textual.worker import Worker

from tui.actions import ACTIONS, PANES, Action, PaneName, Place
from tui.keys import key_of, keys_of, with_keys
from tui.widgets.placed import LeftOnce, over_bindings

# Moving through a list and opening the palette make no sense from the palette.
_BY_KEY_ONLY = {"line_down", "line_up", "page_down", "page_up", "first", "last", "command_palette"}


class Palette(CommandPalette, LeftOnce[None]):
    """Textual's palette (8.2.8), made safe for keys that arrive before it finds anything or while it closes."""

    BINDINGS: ClassVar[list[BindingType]] = over_bindings("quit")

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).option_count:  # on an empty list, page up or down would crash the app
            super()._action_command_list(action)

    def _gather_commands(self, search_value: str) -> Worker[None]:
        return self.run_worker(partial(self._gather, search_value), group=self._GATHER_COMMANDS_GROUP, exclusive=True)

    async def _gather(self, search_value: str) -> None:
        try:
            await unwrap(super()._gather_commands)(self, search_value)
        except Exception:
            # When the app quits, the list and its styles may be gone before this work, which needs them, ends.
            if self.is_attached and not self._pruning:
                raise


def open_palette(app: App[int]) -> None:
    """Show the palette over the current screen."""
    if not isinstance(app.screen, Palette):
        app.push_screen(Palette(id="--command-palette"))


def commands(app: App[int], binding_chain: list[tuple[Place, DOMNode]]) -> Iterator[SystemCommand]:
    """Yield the actions of these places, nearest first, each with its keys; then the other panes and their actions."""
    for place, carrier in binding_chain:
        for action in ACTIONS[place]:
            if action.id not in _BY_KEY_ONLY:
                yield _command(app, action, keys_of(f"{place}.{action.id}"), carrier)
        if place == "workspace":
            here = {place for place, _ in binding_chain}
            for pane in PANES:
                if pane not in here:
                    yield from _elsewhere(app, pane, carrier)
            for pane in PANES:
                yield SystemCommand(
                    f"{pane.capitalize()}   {keys_of(f'workspace.{pane}')}",
                    f"Show the {pane} pane.",
                    lambda pane=pane, carrier=carrier: app.run_action(f"pane('{pane}')", carrier),
                )


def _elsewhere(app: App[int], pane: PaneName, carrier: DOMNode) -> Iterator[SystemCommand]:
    """Yield the actions of another pane, which is shown first."""
    for action in ACTIONS[pane]:
        if action.id not in _BY_KEY_ONLY:
            keys = keys_of(f"{pane}.{action.id}")
            yield SystemCommand(
                f"{pane.capitalize()}: {action.label}   {key_of(f'workspace.{pane}')} {keys}",
                with_keys(action.help),
                lambda action=action: app.run_action(f"do_in('{pane}', '{action.id}')", carrier),
            )


def _command(app: App[int], action: Action, keys: str, carrier: DOMNode) -> SystemCommand:
    title = f"{action.label.capitalize()}   {keys}"
    return SystemCommand(title, with_keys(action.help), lambda: app.run_action(action.id, carrier))
