"""The dataset pane as a widget: shows what `drawing` draws."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from tui.actions import PaneName, bindings
from tui.panes.dataset.drawing import draw
from tui.panes.pane import Pane
from tui.panes.view import View


class DatasetPane(Pane):
    """What is frozen for training."""

    place: ClassVar[PaneName] = "dataset"
    BINDINGS: ClassVar[list[BindingType]] = bindings("dataset")

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view)
