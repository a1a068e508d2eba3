"""Every glyph beyond ASCII that the app draws itself, and its replacement on a terminal with ASCII only.

The filter sees each line after it was drawn, so that no widget needs to know. Foreign text passes through it too: in
that, only these same glyphs change. A replacement has as many cells as its glyph.
"""

import unicodedata

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_MARKS = {
    "●": "*", "○": "o", "✓": "+", "✗": "x", "◐": "%", "‖": "=", "■": "#", "▪": "#", "◦": "o", "⚑": "P",
    "▲": "^", "▼": "v", "▶": ">", "◀": "<", "◆": "*", "◇": "o", "★": "*", "☆": "o",
    "←": "<", "→": ">", "↑": "^", "↓": "v", "↵": "<", "↳": "`", "↺": "@", "␣": "_",
    "–": "-", "—": "-", "−": "-", "…": "~", "·": ".", "•": "*", "‣": ">", "×": "x", "±": "~",
    "≈": "~", "≤": "<", "≥": ">", "≠": "!", "∞": "8", "Δ": "d", "µ": "u", "°": "o",
    "«": '"', "»": '"', "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "‹": "<", "›": ">",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\ufffd": "?",
    "🔎": "/ ", "🖼": "#",  # in the palette and in Markdown, drawn by Textual
}  # fmt: skip

# Different kinds of lines stay different.
_LINES = {"┄": ".", "┈": ".", "╌": "-", "╍": "=", "━": "=", "═": "=", "┤": "|", "├": "|"}

_BRAILLE = 0x2800
_UPPER_DOTS, _MIDDLE_DOTS, _LOWER_DOTS = 0x1B, 0x36, 0xE4  # the dots of rows 1 and 2, 2 and 3, 3 and 4


def _drawn(code: int) -> str:
    """Return the replacement for a box drawing or block element."""
    name = unicodedata.name(chr(code))
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if "UPPER RIGHT" in name else "\\"
    words = set(name.split())
    if words & {"VERTICAL", "UP", "DOWN"} and not words & {"HORIZONTAL", "LEFT", "RIGHT"}:
        return "|"
    if words & {"HORIZONTAL", "LEFT", "RIGHT"} and not words & {"VERTICAL", "UP", "DOWN", "QUADRANT", "BLOCK"}:
        return "-"
    if "SHADE" in words or name == "FULL BLOCK":
        return "#"
    if "BLOCK" in words:
        side = {"LEFT": "|", "RIGHT": "|", "UPPER": "-", "LOWER": "_"}
        return next(sign for word, sign in side.items() if word in words)
    return "+"


def _dots(dots: int) -> str:
    """Return a sign about as high and as dense as the dots of a braille cell."""
    if not dots:
        return " "
    rows = ((_MIDDLE_DOTS, "-"), (_UPPER_DOTS, "'"), (_LOWER_DOTS, "."))
    return next((sign for row, sign in rows if not dots & ~row), ":")


ASCII: dict[str, str] = {
    **{chr(code): _drawn(code) for code in range(0x2500, 0x25A0)},
    **{chr(_BRAILLE + dots): _dots(dots) for dots in range(256)},
    **{chr(code): "?" for code in range(0x2400, 0x2425)},  # what `engine.clean` shows for control codes
    **_MARKS,
    **_LINES,
}
_TABLE = str.maketrans(ASCII)


def as_ascii(text: str) -> str:
    """Return `text` with every glyph of the table replaced."""
    return text if text.isascii() else text.translate(_TABLE)


class AsciiFilter(LineFilter):
    """Draws the replacements."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the line with replacements, in the same number of cells."""
        return [Segment(as_ascii(text), style, control) for text, style, control in segments]
