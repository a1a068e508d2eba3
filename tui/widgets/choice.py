"""A choice among a few options, switched by the form around it. Knows no key, and not what the options mean."""

from collections.abc import Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from engine.clean import cell_width, clean_line
from tui.widgets.lines import ACCENT, DIM, STRONG


class Choice(Widget, can_focus=True):
    """Shows all options on one line, the chosen one in bold."""

    class Changed(Message):
        """Another option was chosen."""

    DEFAULT_CSS = "Choice { height: 1; width: 1fr; } Choice:focus { background: $panel; }"
    index: reactive[int] = reactive(0)

    def __init__(self, words: Sequence[str], value: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._words = tuple(words)
        self.set_reactive(Choice.index, self._words.index(value) if value in self._words else 0)

    @property
    def value(self) -> str:
        """The chosen option."""
        return self._words[self.index]

    def render(self) -> RenderResult:
        """Draw the options; a mark shows the chosen one. If not all fit, draw only that one, with its number."""
        words = list(map(clean_line, self._words))
        if sum(cell_width(word) + 5 for word in words) > self.size.width:
            of_all = f"   {self.index + 1} of {len(words)}"
            return Content.assemble(("‹ ", ACCENT), (words[self.index], STRONG), (" ›", ACCENT), (of_all, DIM))
        parts: list[Content | tuple[str, str]] = []
        for place, word in enumerate(words):
            mark, mark_style, style = ("● ", ACCENT, STRONG) if place == self.index else ("○ ", DIM, DIM)
            parts += [(mark, mark_style), (word, style), ("   ", "")]
        return Content.assemble(*parts)

    def turn(self, steps: int) -> None:
        """Choose another option."""
        self.index = (self.index + steps) % len(self._words)
        self.post_message(self.Changed())
