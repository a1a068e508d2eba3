"""The input line at the bottom of the review, for a search or a note. Knows nothing of examples."""

from typing import Literal

from tui.widgets.line import Line

Purpose = Literal["search", "note"]
_HINTS: dict[Purpose, str] = {
    "search": "search questions and answers; empty lists all",
    "note": "a note to yourself, kept with the flag",
}


class WordsLine(Line):
    """Visible only while open."""

    DEFAULT_CSS = """
    WordsLine {
        dock: bottom; height: 1; border: none; padding: 0 1; background: $surface; margin: 0 0 2 0; display: none;
    }
    WordsLine.-open { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.purpose: Purpose = "search"

    @property
    def is_open(self) -> bool:
        """Whether text is being typed."""
        return self.has_class("-open")

    def open(self, purpose: Purpose, value: str) -> None:
        """Open the line with this text."""
        self.purpose, self.value, self.placeholder = purpose, value, _HINTS[purpose]
        self.select_on_focus = purpose == "search"  # a search is replaced, a note is continued
        self.cursor_position = len(value)
        self.add_class("-open")
        self.screen.set_focus(self)  # at once: the next key is already a letter

    def close(self) -> None:
        """Close the line."""
        self.remove_class("-open")
        self.screen.set_focus(None)
