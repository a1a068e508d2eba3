"""Without colours, text with a background is reversed; bold, dim and underlined text stays so."""

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from engine.paths import Home
from tests.tui.panes.chat_helpers import converse, open_chat
from tests.tui.piloting import pane_text, until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.terminal.abilities import Abilities
from tui.widgets.colourless import ColourlessFilter


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("green on default", "default on default"),
        ("bold dim underline red", "bold dim underline default on default"),
        ("black on cyan", "reverse default on default"),
        ("bright_black on default", "dim default on default"),
        ("reverse #8c8c8c", "reverse default on default"),
        ("#ffffff on #202020", "reverse default on default"),
    ],
)
def test_style_becomes_colourless_but_stays_distinct(style: str, expected: str) -> None:
    (segment,) = ColourlessFilter().apply([Segment("word", Style.parse(style))], Color(0, 0, 0))
    assert segment == Segment("word", Style.parse(expected))


@pytest.mark.parametrize("state", ["waiting", "done", "failed"])
async def test_chat_marks_each_state_without_colours(home: Home, state: str) -> None:
    app = DistillApp(home, make_stage(home, "done"), None, Abilities(colours="none"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        converse(app, state)
        expected = {
            "waiting": "! The server is waiting for the device",
            "done": "✗ 3: 2 of 32 words too many · At most 30",
            "failed": "✗ The answer was cut off.",
        }[state]
        await until(pilot, lambda: expected in pane_text(app))
        assert state != "done" or "1 ✓  2 ✓  3 ✗  4 ✓" in pane_text(app)
        await pilot.pause()
        styles = [segment.style for strip in app.screen._compositor.render_strips() for segment in strip]
        assert len(styles) > 100
        assert all(
            colour is None or colour.is_default for style in styles if style for colour in (style.color, style.bgcolor)
        )


def test_segment_without_a_style_is_unchanged() -> None:
    assert ColourlessFilter().apply([Segment("word")], Color(0, 0, 0)) == [Segment("word")]
