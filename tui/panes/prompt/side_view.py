"""The views that replace the text and the rules: where they are, and how those that are one page of lines are drawn."""

from typing import ClassVar

from textual.content import Content

from tui.actions import Place
from tui.panes.prompt.text_view import ShowMode
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller

SIDE = "side"  # the class of these views, which the pane styles


class SideView(Scroller):
    """One page of lines. Subclasses name their place and draw their lines."""

    place: ClassVar[Place]
    left_for: ClassVar[str] = ""  # the part of the reading view to go back to

    def __init__(self) -> None:
        super().__init__(id=f"prompt-{self.place}", classes=SIDE)

    def lines(self, width: int) -> list[Content]:
        """The lines of the page for this width."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw at the current size, once mounted, and keep the cursor in view."""
        for page in self.query(Page):
            page.show(self.lines(self.line_width))
            self.see_cursor()

    def on_resize(self) -> None:
        """Draw at the new size."""
        self.redraw()

    def action_back(self) -> None:
        """Go back to the text or the rules."""
        self.post_message(ShowMode("reading", self.left_for))
