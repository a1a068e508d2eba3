"""Without colours, what had a ground of its own is reversed, and every other way to stand out stays."""

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tui.widgets.colourless import ColourlessFilter


@pytest.mark.parametrize(
    ("drawn", "left"),
    [
        ("green on default", "default on default"),
        ("bold dim underline red", "bold dim underline default on default"),
        ("black on cyan", "reverse default on default"),
        ("bright_black on default", "dim default on default"),
        ("reverse #8c8c8c", "reverse default on default"),
        ("#ffffff on #202020", "reverse default on default"),
    ],
)
def test_a_line_keeps_its_meaning(drawn: str, left: str) -> None:
    (segment,) = ColourlessFilter().apply([Segment("word", Style.parse(drawn))], Color(0, 0, 0))
    assert segment == Segment("word", Style.parse(left))


def test_a_segment_without_a_style_stays() -> None:
    assert ColourlessFilter().apply([Segment("word")], Color(0, 0, 0)) == [Segment("word")]
