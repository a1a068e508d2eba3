"""ASCII replacements: every glyph that the app draws has one, of the same width."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.pilot import Pilot

from engine.paths import Home
from tests.tui.piloting import screen_text, shown, until
from tests.tui.seeds import make_stage
from tui.actions import PANE_KEYS
from tui.app import DistillApp
from tui.settings import Settings
from tui.terminal.abilities import Abilities
from tui.widgets.glyphs import ASCII, as_ascii

ROOT = Path(__file__).parents[3]
# Modules whose strings the app draws: all of `tui`, and those of the engine with texts for users.
SOURCES = [*(ROOT / "tui").rglob("*.py"), *(ROOT / "engine" / "economics").rglob("*.py"), ROOT / "engine" / "errors.py"]
TABLE = ROOT / "tui" / "widgets" / "glyphs.py"


def string_literals(path: Path) -> set[str]:
    """Return every string of a module that is not a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }


@pytest.mark.parametrize("path", sorted({*SOURCES} - {TABLE}), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_glyph_of_the_app_has_an_ascii_replacement(path: Path) -> None:
    glyphs = {char for text in string_literals(path) for char in text if not char.isascii()}
    assert glyphs <= set(ASCII), f"{path} draws glyphs without a replacement"


def test_every_glyph_of_textual_borders_and_scrollbars_has_an_ascii_replacement() -> None:
    from textual._border import BORDER_CHARS
    from textual.scrollbar import ScrollBarRender

    borders = "".join(part for rows in BORDER_CHARS.values() for row in rows for part in row)
    bars = "".join([*ScrollBarRender.VERTICAL_BARS, *ScrollBarRender.HORIZONTAL_BARS])
    assert as_ascii(borders + bars).isascii()


def test_replacements_are_ascii_and_as_wide_as_their_glyphs() -> None:
    for glyph, replacement in ASCII.items():
        assert replacement.isascii(), glyph
        assert cell_len(replacement) == cell_len(glyph), glyph


def test_marks_used_together_have_distinct_replacements() -> None:
    for marks in ("●○✓✗◐", "●○✓✗‖■", "✓✗○⚑", "←→↑↓", "╌┄╍"):
        assert len({ASCII[mark] for mark in marks}) == len(marks), marks
    assert "!" not in {ASCII[mark] for mark in "●○✓✗◐‖■⚑◆"}, "this mark is ASCII already"


@given(st.text(alphabet=st.sampled_from([*ASCII, "a", "é", "漢", "\n"]), max_size=80))
def test_replacing_keeps_line_width_and_non_ascii_letters(text: str) -> None:
    plain = as_ascii(text)
    assert cell_len(plain) == cell_len(text)
    assert {char for char in plain if not char.isascii()} == {char for char in text if char in "é漢"}


def test_braille_curve_keeps_its_shape() -> None:
    assert as_ascii("⠉⠒⠤⣀") == "'--.", "a falling curve"
    assert as_ascii("⡇⢸⣿ ") == "::: "


async def text_after(pilot: Pilot[int], *keys: str) -> str:
    await pilot.press(*keys)
    await pilot.pause(0.3)
    app = pilot.app
    assert isinstance(app, DistillApp)
    return screen_text(app)


@pytest.mark.parametrize(
    ("stage", "size"),
    [
        *((stage, (120, 40)) for stage in ("new", "generating", "failed", "training", "done")),
        *((stage, (80, 24)) for stage in ("training", "done")),  # panes draw other lines at this size
    ],
)
async def test_every_screen_is_ascii_without_unicode(home: Home, stage: str, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_stage(home, stage), abilities=Abilities(unicode=False))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        for keys in ([], *([key] for key in PANE_KEYS.values())):
            assert (text := await text_after(pilot, *keys)).isascii(), (keys, set(text) - set(map(chr, range(128))))
        for opened, closed in (("c", "escape"), ("question_mark", "escape"), ("ctrl+p", "escape"), ("o", "enter")):
            assert (await text_after(pilot, opened)).isascii(), opened
            await pilot.press(closed)


@pytest.mark.parametrize(
    ("setting", "unicode", "expected"), [(True, True, True), (False, False, False), (None, True, False)]
)
async def test_ascii_setting_overrides_the_terminal(
    home: Home, setting: bool | None, unicode: bool, expected: bool
) -> None:
    app = DistillApp(home, make_stage(home, "done"), Settings(ascii=setting), Abilities(unicode=unicode))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        assert (await text_after(pilot)).isascii() is expected
