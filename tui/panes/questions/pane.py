"""The questions pane as a widget: shows what `drawing` draws."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from tui.actions import PaneName, bindings
from tui.panes.pane import Pane
from tui.panes.questions.drawing import draw
from tui.panes.view import View


class QuestionsPane(Pane):
    """What users would send."""

    place: ClassVar[PaneName] = "questions"
    BINDINGS: ClassVar[list[BindingType]] = bindings("questions")

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view)
