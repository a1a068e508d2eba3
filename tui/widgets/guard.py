"""Guards the terminal against what Textual's own fields, toasts and lists draw: they draw whatever they are given.

Other foreign text is cleaned where it becomes lines (`tui.widgets.lines`). Knows no widget.
"""

from rich.cells import cell_len, set_cell_size
from rich.highlighter import Highlighter
from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.filter import LineFilter

from engine.clean import mask_controls, strip_controls


class Veil(Highlighter):
    """Shows a sign for each control code in a one-line field; the field's value is unchanged."""

    def highlight(self, text: Text) -> None:
        """Replace the codes in `text` in place."""
        text.plain = mask_controls(text.plain.replace("\n", "␤").replace("\t", " "))


class CodeFilter(LineFilter):
    """Removes from each drawn line whatever a terminal would obey or hide. The rest of the line does not move."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the line without codes, in the same number of cells."""
        return [Segment(_bare(text), style, control) for text, style, control in segments]


def _bare(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    bare = strip_controls(text.replace("\n", "").replace("\t", " "))
    return text if bare == text else set_cell_size(bare, cell_len(text))
