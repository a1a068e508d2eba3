"""The prompt as a readable page, and the message by which a view asks for another. Knows nothing of the store."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.message import Message

from engine.records.prompt import Prompt
from tui.panes.prompt.drawing import draw_empty, draw_text
from tui.panes.prompt.state import Mode
from tui.services.prompt import Passage
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller


@dataclass
class ShowMode(Message):
    """The user wants another view of the pane."""

    mode: Mode
    part: str = ""  # of the reading view: "rules", else the text


class TextView(Scroller):
    """The prompt as a readable page. The passages that a rule comes from are marked and scrolled into view."""

    def __init__(self) -> None:
        super().__init__(id="prompt-text")
        self._drawn: tuple[object, ...] = ()
        self._given: tuple[Prompt | None, Sequence[Passage]] | None = None

    def on_resize(self) -> None:
        """Draw at the new size: the rules beside the text come and go."""
        if self._given is not None:
            self.show(*self._given)

    def show(self, prompt: Prompt | None, passages: Sequence[Passage]) -> None:
        """Draw if anything changed: wrapping 50 KB every second would be wasted work."""
        self._given = (prompt, passages)
        width = self.line_width
        wanted = (prompt, tuple(passages), width)
        if wanted == self._drawn:
            return
        looked_for = self._drawn[1:2] != wanted[1:2]
        self._drawn = wanted
        lines, first = (draw_empty(width), None) if prompt is None else draw_text(prompt, passages, width)
        self.query_one(Page).show(lines)
        if first is not None and looked_for:
            self.call_after_refresh(self._bring_into_sight, first)

    def _bring_into_sight(self, line: int) -> None:
        if not self.scroll_offset.y <= line < self.scroll_offset.y + self.size.height - 1:
            self.scroll_to(y=max(line - 2, 0), animate=False)
