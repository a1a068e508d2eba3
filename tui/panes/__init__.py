"""The panes: one package a face of the workspace, each with its drawing, its state where it has one, and its widget.

Every pane opens with a title line that says what it is and its one number; every pane says what comes next where
it is empty. A pane is imported when it is first shown: the first sight of a project waits for that pane alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from tui.actions import PaneName

if TYPE_CHECKING:
    from tui.panes.pane import Pane


def pane_class(name: PaneName) -> "type[Pane]":
    """The widget of the pane `name`: class `<Name>Pane` of the module `tui.panes.<name>.pane`."""
    return cast("type[Pane]", getattr(import_module(f"tui.panes.{name}.pane"), f"{name.capitalize()}Pane"))
