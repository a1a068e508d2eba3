"""The release pane as a widget: shows what `drawing` draws."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from tui.actions import PaneName, bindings
from tui.panes.pane import Pane
from tui.panes.release.drawing import draw
from tui.panes.view import View


class ReleasePane(Pane):
    """What leaves the machine."""

    place: ClassVar[PaneName] = "release"
    BINDINGS: ClassVar[list[BindingType]] = bindings("release")

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view)
