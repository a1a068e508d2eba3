"""Takes the colours out of a line: what stood on a ground of its own colour is reversed, for it meant something."""

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_NO_COLOURS = Style.parse("default on default")
_REVERSED = Style(reverse=True)
_DIM = Style(dim=True)
_RULE = 8  # bright black, in which the themes of the terminal's own colours draw thin rules


class ColourlessFilter(LineFilter):
    """To be used with a theme of the terminal's own colours, where a page has no ground but the terminal's."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line; bold, dim, underlined and reversed text stay so."""
        return [
            Segment(text, None if style is None else _colourless(style), control) for text, style, control in segments
        ]


@lru_cache(1024)
def _colourless(style: Style) -> Style:
    plain = style + _NO_COLOURS
    if style.bgcolor is not None and not style.bgcolor.is_default:
        return plain + _REVERSED
    return plain + _DIM if style.color is not None and style.color.number == _RULE else plain
