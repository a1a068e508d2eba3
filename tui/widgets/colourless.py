"""Removes the colours of a line: text on its own background colour is reversed, because that colour had a meaning."""

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_NO_COLOURS = Style.parse("default on default")
_REVERSED = Style(reverse=True)
_DIM = Style(dim=True)
_RULE = 8  # bright black, in which themes that use the terminal's colours draw thin rules


class ColourlessFilter(LineFilter):
    """For use with a theme of the terminal's own colours, in which pages have only the terminal's background."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the line without colours; bold, dim, underlined and reversed text stay so."""
        return [
            Segment(text, None if style is None else _colourless(style), control) for text, style, control in segments
        ]


@lru_cache(1024)
def _colourless(style: Style) -> Style:
    plain = style + _NO_COLOURS
    if style.bgcolor is not None and not style.bgcolor.is_default:
        return plain + _REVERSED
    return plain + _DIM if style.color is not None and style.color.number == _RULE else plain
