"""What stands between Textual's own widgets and the terminal: fields, toasts and lists draw what they are given.

Foreign text is cleaned where it becomes lines (`tui.widgets.lines`). Knows no widget.
"""

from rich.cells import cell_len, set_cell_size
from rich.highlighter import Highlighter
from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.filter import LineFilter

from engine.clean import veil_text, without_codes


class Veil(Highlighter):
    """Shows a sign for each code in a field of one line; the field's value stays as it is."""

    def highlight(self, text: Text) -> None:
        """Veil it in place."""
        text.plain = veil_text(text.plain.replace("\n", "␤").replace("\t", " "))


class CodeFilter(LineFilter):
    """Leaves out of each drawn line whatever a terminal would obey or hide. What stands beside it does not move."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line in as many cells."""
        return [Segment(_bare(text), style, control) for text, style, control in segments]


def _bare(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    bare = without_codes(text.replace("\n", "").replace("\t", " "))
    return text if bare == text else set_cell_size(bare, cell_len(text))
