"""The evaluation pane as a widget: shows what `drawing` draws."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from tui.actions import PaneName, bindings
from tui.panes.evaluation.drawing import draw
from tui.panes.pane import Pane
from tui.panes.view import View


class EvaluationPane(Pane):
    """The proof."""

    place: ClassVar[PaneName] = "evaluation"
    BINDINGS: ClassVar[list[BindingType]] = bindings("evaluation")

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view)
