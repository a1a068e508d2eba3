"""Themes are files: each that ships can be read by everybody, a bad one is named with its line, a change is seen."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from rich.color import ColorSystem
from textual.color import ANSI_COLORS, Color
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES, Theme

from engine.errors import NotFoundError, UsageError
from engine.paths import Home
from tests.tui.colours import apart, contrast, seen_by
from tests.tui.piloting import until
from tests.tui.test_settings import told
from tui.app import DistillApp
from tui.services.themes import read_theme, shipped_folder
from tui.settings import Settings
from tui.terminal.abilities import Abilities
from tui.themes import parse_theme

SOUND = 'primary: "#112233"\nforeground: "#eeeeee"\nbackground: "#000000"\n'
THEMES = [parse_theme(path.read_text(), path.name) for path in sorted(shipped_folder().glob("*.yaml"))]
PAINTED = [pytest.param(theme, id=theme.name) for theme in THEMES if not theme.ansi]
LENT = [pytest.param(theme, id=theme.name) for theme in THEMES if theme.ansi]
TEXTS = ("foreground", "text-accent", "text-success", "text-warning", "text-error")
GROUNDS = ("background", "surface", "panel", "panel-lighten-1")
DIM_SHARE = 0.58
# xterm's own sixteen, which most terminals began with.
XTERM = [
    "#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5",
    "#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff",
]  # fmt: skip


def variables(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


def colours(theme: Theme, *names: str) -> list[Color]:
    found = variables(theme)
    return [Color.parse(found[name]) for name in names]


def test_there_is_a_theme_for_everybody() -> None:
    named = {theme.name: theme for theme in THEMES}
    assert len(named) >= 8
    assert {"contrast", "okabe-ito"} <= set(named)
    for ansi in (True, False):
        assert {theme.dark for theme in THEMES if theme.ansi == ansi} == {True, False}
    for able in (Abilities(), Abilities(colours="16"), Abilities(colours="none")):
        assert able.theme in named


@pytest.mark.parametrize("theme", PAINTED)
def test_text_stands_out_from_every_ground(theme: Theme) -> None:
    """WCAG 2.1: 4.5 to 1 for text, 7 to 1 for high contrast; 3 to 1 for what is dim and for the focused field."""
    high = theme.name == "contrast"
    page = GROUNDS[:3]
    for ground, name in zip(colours(theme, *GROUNDS), GROUNDS, strict=True):
        for text in colours(theme, *TEXTS):
            assert contrast(text, ground) >= (7 if high and name in page else 4.5), (name, text.hex)
        dim = ground.blend(colours(theme, "foreground")[0], DIM_SHARE, alpha=1)
        assert contrast(dim, ground) >= (4.5 if high and name in page else 3), name


@pytest.mark.parametrize("theme", PAINTED)
def test_what_is_filled_can_be_read_and_a_rule_can_be_seen(theme: Theme) -> None:
    accent, background, rule = colours(theme, "accent", "background", "panel-lighten-1")
    assert contrast(background, accent) >= 4.5  # the letters of the jump
    assert contrast(rule, background) >= (2.5 if theme.name == "contrast" else 1.4)


@pytest.mark.parametrize("theme", PAINTED)
def test_it_can_be_read_in_256_colours_too(theme: Theme) -> None:
    def quantised(colour: Color) -> Color:
        return Color.from_rich_color(
            type(colour.rich_color).from_triplet(colour.rich_color.downgrade(ColorSystem.EIGHT_BIT).get_truecolor())
        )

    for ground in colours(theme, *GROUNDS[:3]):
        for text in colours(theme, *TEXTS):
            assert contrast(quantised(text), quantised(ground)) >= 4.5
        dim = ground.blend(colours(theme, "foreground")[0], DIM_SHARE, alpha=1)
        assert contrast(quantised(dim), quantised(ground)) >= 3


@pytest.mark.parametrize("theme", LENT)
def test_a_terminal_lends_colours_that_can_be_read_on_its_ground(theme: Theme) -> None:
    """The ground is the terminal's: what it lends is held against the palette that most began with."""
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


@pytest.mark.parametrize("lacking", ["protan", "deutan", "tritan"])
def test_nobody_takes_one_state_for_another_in_okabe_and_ito(lacking: str) -> None:
    (theme,) = (theme for theme in THEMES if theme.name == "okabe-ito")
    for one, other in combinations(colours(theme, *TEXTS[1:]), 2):
        assert apart(seen_by(lacking, one), seen_by(lacking, other)) >= 15


def test_every_colour_that_a_widget_uses_is_held_against_its_ground() -> None:
    known = {*TEXTS, *GROUNDS, "accent"}
    for path in (Path(__file__).parents[2] / "tui").rglob("*"):
        if path.suffix in (".py", ".tcss"):
            used = set(re.findall(r"\$([a-z][a-z0-9-]*)", path.read_text(encoding="utf-8")))
            assert used <= known, path
            assert path.suffix != ".tcss" or "ansi_" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("primary: [x\n", "bad.yaml, line 2"),
        ("- a\n", "no fields"),
        ("", "no fields"),
        ("a: \x00", "bad.yaml: "),
        (SOUND + "colour: red\n", "line 4: unknown field colour"),
        (SOUND + "accent:\n  - 1\n", "line 4: unknown field accent"),
        (SOUND + 'accent: "#12"\n', "line 4: #12 is not a colour"),
        (SOUND + "dark: 3\n", "line 4: dark must be true or false"),
        (SOUND + "variables:\n  bordr: red\n", "line 5: unknown variable bordr"),
        (SOUND + "variables:\n  border: reddish\n", "line 5: invalid value for border: reddish."),
        (SOUND + "variables:\n  link-style: loud\n", "line 5: invalid value for link-style: loud."),
        (SOUND + 'primary: "#445566"\n', "line 4: duplicate field primary"),
        (SOUND + "variables:\n  border: red\n  border: blue\n", "line 6: duplicate field border"),
        (SOUND + "? [accent]\n: red\n", "line 4: this is not a field name"),
        pytest.param("[" * 2_000, "bad.yaml: maximum recursion depth", id="deep"),
        (SOUND + "variables:\n  border: auto 50%\n", "line 5: invalid value for border: auto 50%."),
        (SOUND + "variables:\n  border: initial\n", "line 5: invalid value for border: initial."),
        (SOUND + "variables:\n  text: auto bogus\n", "line 5: invalid value for text: auto bogus."),
        (SOUND + "variables:\n  link-style: not\n", "line 5: invalid value for link-style: not."),
        (SOUND + "variables:\n  link-style: none bold\n", "line 5: invalid value for link-style: none bold."),
        (SOUND + "variables:\n  link-style: ''\n", "invalid value for link-style: ."),
        ('primary: "#112233"\n', "missing foreground, background"),
    ],
)
def test_a_bad_theme_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_theme(text, "bad.yaml")
    assert said in caught.value.message


def test_a_sound_theme_keeps_its_colours() -> None:
    theme = parse_theme(SOUND + 'dark: false\naccent: "#445566"\nvariables:\n  border: "#778899"\n', "x.yaml")
    assert (theme.name, theme.primary, theme.accent, theme.dark) == ("x", "#112233", "#445566", False)
    assert theme.variables == {"border": "#778899"}


def own(home: Home, name: str, text: str) -> Path:
    home.themes.mkdir(parents=True, exist_ok=True)
    path = home.themes / f"{name}.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "variable",
    ["text: auto 60%", "footer-foreground: auto 87%", "border: transparent", "link-style: not bold underline"],
)
def test_what_fits_a_variable_is_taken(variable: str) -> None:
    name, _, said = variable.partition(": ")
    assert parse_theme(SOUND + f"variables:\n  {variable}\n", "mine.yaml").variables[name] == said


def test_a_persons_own_theme_goes_before_one_that_ships(home: Home) -> None:
    own(home, "dusk", SOUND)
    assert read_theme(home, "dusk").primary == "#112233"
    with pytest.raises(NotFoundError, match="Did you mean paper"):
        read_theme(home, "papper")
    own(home, "broken", SOUND + "acent: red\n")
    with pytest.raises(NotFoundError) as refused:
        read_theme(home, "zzz")
    assert "dusk" in refused.value.next
    assert "broken" not in refused.value.next, "what cannot be read is not there to be chosen"
    (home.themes / "dusk.yaml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_theme(home, "dusk")


def ground(pilot: Pilot[int]) -> str:
    return pilot.app.screen.styles.background.hex


async def test_a_changed_file_is_put_on_and_a_bad_one_leaves_the_old(home: Home) -> None:
    path = own(home, "mine", SOUND)
    app = DistillApp(home, None, Settings(theme="mine"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: ground(pilot) == "#000000")
        path.write_text(SOUND.replace("#000000", "#202020"))
        await until(pilot, lambda: ground(pilot) == "#202020")
        path.write_text(SOUND + "acent: red\n")
        await told(pilot, "mine.yaml, line 4: unknown field acent")
        assert ground(pilot) == "#202020"


async def test_only_files_are_offered_and_the_choice_is_remembered(home: Home) -> None:
    own(home, "mine", SOUND)
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        expected = {*(theme.name for theme in THEMES), "mine"}
        await until(pilot, lambda: set(app.available_themes) == expected)
        assert not expected & set(BUILTIN_THEMES)
        app.theme = "mist"
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True):
        assert app.theme == "mist"


async def test_a_theme_that_is_not_there_is_told_and_another_put_on(home: Home) -> None:
    app = DistillApp(home, None, Settings(theme="papper"), Abilities(colours="16"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await told(pilot, "Did you mean paper?")
        assert app.theme == "terminal-dark"
