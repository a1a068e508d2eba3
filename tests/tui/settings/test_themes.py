"""Theme files: shipped ones are readable by everybody, invalid ones are reported by line, changes apply at once."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from rich.color import ColorSystem
from textual._color_constants import ANSI_COLORS
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES, Theme

from engine.errors import NotFoundError, UsageError
from engine.paths import Home
from tests.tui.piloting import until, wait_for_toast
from tests.tui.settings.colour_vision import colour_distance, contrast, seen_by
from tui.app import DistillApp
from tui.services.themes import read_theme, shipped_folder
from tui.settings import Settings
from tui.terminal.abilities import Abilities
from tui.themes import parse_theme

VALID = 'primary: "#112233"\nforeground: "#eeeeee"\nbackground: "#000000"\n'
THEMES = [parse_theme(path.read_text(), path.name) for path in sorted(shipped_folder().glob("*.yaml"))]
COLOUR_THEMES = [pytest.param(theme, id=theme.name) for theme in THEMES if not theme.ansi]
ANSI_THEMES = [pytest.param(theme, id=theme.name) for theme in THEMES if theme.ansi]
TEXTS = ("foreground", "text-accent", "text-success", "text-warning", "text-error")
BACKGROUNDS = ("background", "surface", "panel", "panel-lighten-1")
DIM_SHARE = 0.58
# The default 16 colours of xterm, from which most terminal palettes derive.
XTERM = [
    "#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5",
    "#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff",
]  # fmt: skip


def variables(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


def colours(theme: Theme, *names: str) -> list[Color]:
    found = variables(theme)
    return [Color.parse(found[name]) for name in names]


def test_themes_exist_for_light_dark_high_contrast_and_limited_terminals() -> None:
    named = {theme.name: theme for theme in THEMES}
    assert len(named) >= 8
    assert {"contrast", "okabe-ito"} <= set(named)
    for ansi in (True, False):
        assert {theme.dark for theme in THEMES if theme.ansi == ansi} == {True, False}
    for able in (Abilities(), Abilities(colours="16"), Abilities(colours="none")):
        assert able.theme in named


@pytest.mark.parametrize("theme", COLOUR_THEMES)
def test_text_has_enough_contrast_on_every_background(theme: Theme) -> None:
    """WCAG 2.1: 4.5 to 1 for text, 7 to 1 for high contrast; 3 to 1 for what is dim and for the focused field."""
    high = theme.name == "contrast"
    page = BACKGROUNDS[:3]
    for ground, name in zip(colours(theme, *BACKGROUNDS), BACKGROUNDS, strict=True):
        for text in colours(theme, *TEXTS):
            assert contrast(text, ground) >= (7 if high and name in page else 4.5), (name, text.hex)
        dim = ground.blend(colours(theme, "foreground")[0], DIM_SHARE, alpha=1)
        assert contrast(dim, ground) >= (4.5 if high and name in page else 3), name


@pytest.mark.parametrize("theme", COLOUR_THEMES)
def test_filled_text_is_readable_and_rules_are_visible(theme: Theme) -> None:
    accent, background, rule = colours(theme, "accent", "background", "panel-lighten-1")
    assert contrast(background, accent) >= 4.5  # the jump labels
    assert contrast(rule, background) >= (2.5 if theme.name == "contrast" else 1.4)


@pytest.mark.parametrize("theme", COLOUR_THEMES)
def test_text_has_enough_contrast_in_256_colours(theme: Theme) -> None:
    def quantised(colour: Color) -> Color:
        return Color.from_rich_color(
            type(colour.rich_color).from_triplet(colour.rich_color.downgrade(ColorSystem.EIGHT_BIT).get_truecolor())
        )

    for ground in colours(theme, *BACKGROUNDS[:3]):
        for text in colours(theme, *TEXTS):
            assert contrast(quantised(text), quantised(ground)) >= 4.5
        dim = ground.blend(colours(theme, "foreground")[0], DIM_SHARE, alpha=1)
        assert contrast(quantised(dim), quantised(ground)) >= 3


@pytest.mark.parametrize("theme", ANSI_THEMES)
def test_ansi_colours_have_enough_contrast_on_the_terminal_background(theme: Theme) -> None:
    """The background is the terminal's, so the ANSI colours are compared with the default palette of xterm."""
    ground = Color.parse(XTERM[0] if theme.dark else XTERM[15])
    found = variables(theme)
    assert {found[name] for name in ("foreground", "background", "surface", "panel")} <= {"ansi_default", "transparent"}
    for name in TEXTS[1:]:
        colour = Color.parse(XTERM[ANSI_COLORS.index(found[name].removeprefix("ansi_"))])
        assert contrast(colour, ground) >= 3.9, name
    for cursor in ("block-cursor", "input-selection", "screen-selection"):
        text, under = (
            Color.parse(XTERM[ANSI_COLORS.index(found[f"{cursor}-{part}"].removeprefix("ansi_"))])
            for part in ("foreground", "background")
        )
        assert contrast(text, under) >= 4.5, cursor


@pytest.mark.parametrize("blindness", ["protan", "deutan", "tritan"])
def test_okabe_ito_states_are_distinct_with_colour_blindness(blindness: str) -> None:
    (theme,) = (theme for theme in THEMES if theme.name == "okabe-ito")
    for one, other in combinations(colours(theme, *TEXTS[1:]), 2):
        assert colour_distance(seen_by(blindness, one), seen_by(blindness, other)) >= 15


def test_widgets_use_only_colours_that_are_checked_for_contrast() -> None:
    known = {*TEXTS, *BACKGROUNDS, "accent"}
    for path in (Path(__file__).parents[3] / "tui").rglob("*"):
        if path.suffix in (".py", ".tcss"):
            used = set(re.findall(r"\$([a-z][a-z0-9-]*)", path.read_text(encoding="utf-8")))
            assert used <= known, path
            assert path.suffix != ".tcss" or "ansi_" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("primary: [x\n", "bad.yaml, line 2"),
        ("- a\n", "no fields"),
        ("", "no fields"),
        ("a: \x00", "bad.yaml: "),
        (VALID + "colour: red\n", "line 4: unknown field colour"),
        (VALID + "accent:\n  - 1\n", "line 4: unknown field accent"),
        (VALID + 'accent: "#12"\n', "line 4: #12 is not a colour"),
        (VALID + "dark: 3\n", "line 4: dark must be true or false"),
        (VALID + "variables:\n  bordr: red\n", "line 5: unknown variable bordr"),
        (VALID + "variables:\n  border: reddish\n", "line 5: invalid value for border: reddish."),
        (VALID + "variables:\n  link-style: loud\n", "line 5: invalid value for link-style: loud."),
        (VALID + 'primary: "#445566"\n', "line 4: duplicate field primary"),
        (VALID + "variables:\n  border: red\n  border: blue\n", "line 6: duplicate field border"),
        (VALID + "? [accent]\n: red\n", "line 4: this is not a field name"),
        pytest.param("[" * 2_000, "bad.yaml: maximum recursion depth", id="deep"),
        (VALID + "variables:\n  border: auto 50%\n", "line 5: invalid value for border: auto 50%."),
        (VALID + "variables:\n  border: initial\n", "line 5: invalid value for border: initial."),
        (VALID + "variables:\n  text: auto bogus\n", "line 5: invalid value for text: auto bogus."),
        (VALID + "variables:\n  link-style: not\n", "line 5: invalid value for link-style: not."),
        (VALID + "variables:\n  link-style: none bold\n", "line 5: invalid value for link-style: none bold."),
        (VALID + "variables:\n  link-style: ''\n", "invalid value for link-style: ."),
        ('primary: "#112233"\n', "missing foreground, background"),
    ],
)
def test_invalid_theme_is_reported_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_theme(text, "bad.yaml")
    assert expected in caught.value.message


def test_valid_theme_keeps_its_colours() -> None:
    theme = parse_theme(VALID + 'dark: false\naccent: "#445566"\nvariables:\n  border: "#778899"\n', "x.yaml")
    assert (theme.name, theme.primary, theme.accent, theme.dark) == ("x", "#112233", "#445566", False)
    assert theme.variables == {"border": "#778899"}


def write_own_theme(home: Home, name: str, text: str) -> Path:
    home.themes.mkdir(parents=True, exist_ok=True)
    path = home.themes / f"{name}.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "variable",
    ["text: auto 60%", "footer-foreground: auto 87%", "border: transparent", "link-style: not bold underline"],
)
def test_valid_variable_values_are_accepted(variable: str) -> None:
    name, _, value = variable.partition(": ")
    assert parse_theme(VALID + f"variables:\n  {variable}\n", "mine.yaml").variables[name] == value


def test_own_theme_overrides_a_shipped_one_of_the_same_name(home: Home) -> None:
    write_own_theme(home, "dusk", VALID)
    assert read_theme(home, "dusk").primary == "#112233"
    with pytest.raises(NotFoundError, match="Did you mean paper"):
        read_theme(home, "papper")
    write_own_theme(home, "broken", VALID + "acent: red\n")
    with pytest.raises(NotFoundError) as refused:
        read_theme(home, "zzz")
    assert "dusk" in refused.value.next
    assert "broken" not in refused.value.next, "invalid themes are not suggested"
    (home.themes / "dusk.yaml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_theme(home, "dusk")


def screen_background(pilot: Pilot[int]) -> str:
    return pilot.app.screen.styles.background.hex


async def test_changed_theme_file_is_applied_unless_it_is_invalid(home: Home) -> None:
    path = write_own_theme(home, "mine", VALID)
    app = DistillApp(home, None, Settings(theme="mine"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: screen_background(pilot) == "#000000")
        path.write_text(VALID.replace("#000000", "#202020"))
        await until(pilot, lambda: screen_background(pilot) == "#202020")
        path.write_text(VALID + "acent: red\n")
        await wait_for_toast(pilot, "mine.yaml, line 4: unknown field acent")
        assert screen_background(pilot) == "#202020"


async def test_only_file_themes_are_offered_and_the_choice_is_remembered(home: Home) -> None:
    write_own_theme(home, "mine", VALID)
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        expected = {*(theme.name for theme in THEMES), "mine"}
        await until(pilot, lambda: set(app.available_themes) == expected)
        assert not expected & set(BUILTIN_THEMES)
        app.theme = "mist"
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True):
        assert app.theme == "mist"


async def test_unknown_theme_is_reported_and_the_default_applied(home: Home) -> None:
    app = DistillApp(home, None, Settings(theme="papper"), Abilities(colours="16"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_toast(pilot, "Did you mean paper?")
        assert app.theme == "terminal-dark"
