"""The panes of the workspace: one package each, with its drawing, its widget and, if it has any, its state.

Every pane starts with a title line that says what it is and its one number; an empty pane says what to do next.
A pane is imported when it is first shown, so that opening a project waits only for that pane.
"""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from tui.actions import PaneName

if TYPE_CHECKING:
    from tui.panes.pane import Pane


def pane_class(name: PaneName) -> "type[Pane]":
    """Return the widget of the pane `name`: class `<Name>Pane` of the module `tui.panes.<name>.pane`."""
    return cast("type[Pane]", getattr(import_module(f"tui.panes.{name}.pane"), f"{name.capitalize()}Pane"))
