"""The examples pane as a widget: shows what `drawing` draws."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from tui.actions import PaneName, bindings
from tui.panes.examples.drawing import draw
from tui.panes.pane import Pane
from tui.panes.view import View


class ExamplesPane(Pane):
    """The teacher's answers."""

    place: ClassVar[PaneName] = "examples"
    BINDINGS: ClassVar[list[BindingType]] = bindings("examples")

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view)
