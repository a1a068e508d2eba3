"""The prompt pane as a widget: shows what `drawing` draws."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from tui.actions import PaneName, bindings
from tui.panes.pane import Pane
from tui.panes.prompt.drawing import draw
from tui.panes.view import View


class PromptPane(Pane):
    """What is distilled, and the rules that it makes."""

    place: ClassVar[PaneName] = "prompt"
    BINDINGS: ClassVar[list[BindingType]] = bindings("prompt")

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view)
