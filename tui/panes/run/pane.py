"""The run pane as a widget: shows what `drawing` draws."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from tui.actions import PaneName, bindings
from tui.panes.pane import Pane
from tui.panes.run.drawing import draw
from tui.panes.view import View


class RunPane(Pane):
    """The training of one adapter."""

    place: ClassVar[PaneName] = "run"
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view)
