"""Themes are files: every one that ships is sound, a bad one is named with its line."""

import pytest
from textual.color import Color

from engine.errors import UsageError
from tui.themes import DEFAULT_THEME, load_themes, parse_theme

SOUND = 'name: x\nprimary: "#112233"\nforeground: "#eeeeee"\nbackground: "#000000"\n'


def test_every_theme_that_ships_can_be_read() -> None:
    themes, errors = load_themes()
    assert not errors
    names = [theme.name for theme in themes]
    assert DEFAULT_THEME in names
    assert len(names) == len(set(names))
    assert {theme.dark for theme in themes} == {True, False}


def test_text_stands_out_from_its_ground() -> None:
    """WCAG AA for text: 4.5 to 1."""
    for theme in load_themes()[0]:
        assert theme.foreground is not None
        assert theme.background is not None
        light, dark = sorted(
            (luminance(Color.parse(theme.foreground)), luminance(Color.parse(theme.background))), reverse=True
        )
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: Color) -> float:
    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [x\n", "bad.yaml, line 2"),
        ("- a\n", "no fields"),
        (SOUND + "colour: red\n", "unknown: colour"),
        ("name: x\n", "missing: primary"),
    ],
)
def test_a_bad_theme_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_theme(text, "bad.yaml")
    assert said in caught.value.message


def test_a_sound_theme_keeps_its_colours() -> None:
    theme = parse_theme(SOUND + 'dark: false\naccent: "#445566"\n', "x.yaml")
    assert (theme.name, theme.primary, theme.accent, theme.dark) == ("x", "#112233", "#445566", False)
