"""A line at the foot of the review in which words are typed: what to look for, or a note. Knows no example."""

from typing import Literal

from tui.widgets.line import Line

Purpose = Literal["search", "note"]
_HINTS: dict[Purpose, str] = {
    "search": "words to look for in questions and answers; empty lists all",
    "note": "a note to yourself, kept with the flag",
}


class WordsLine(Line):
    """Seen only while something is typed in it."""

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
        """Whether words are typed now."""
        return self.has_class("-open")

    def open(self, purpose: Purpose, value: str) -> None:
        """Ask for words, beginning with these."""
        self.purpose, self.value, self.placeholder = purpose, value, _HINTS[purpose]
        self.select_on_focus = purpose == "search"  # other words are looked for, and a note is written on
        self.cursor_position = len(value)
        self.add_class("-open")
        self.screen.set_focus(self)  # at once: the next key is a letter already

    def close(self) -> None:
        """Ask no more."""
        self.remove_class("-open")
        self.screen.set_focus(None)
