"""ASCII for every glyph: nothing that the app draws itself is left out, no line changes its width."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.geometry import Size
from textual.pilot import Pilot

from engine.paths import Home
from tests.tui.piloting import shown, until
from tests.tui.seeds import make_stage
from tui.actions import PANE_KEYS
from tui.app import DistillApp
from tui.settings import Settings
from tui.terminal.abilities import Abilities
from tui.widgets.glyphs import ASCII, as_ascii

ROOT = Path(__file__).parents[2]
# Drawn by the app: all of `tui`, and the sentences that come from these rooms of the engine.
DRAWN = [*(ROOT / "tui").rglob("*.py"), *(ROOT / "engine" / "economics").rglob("*.py"), ROOT / "engine" / "errors.py"]
TABLE = ROOT / "tui" / "widgets" / "glyphs.py"


def strings(path: Path) -> set[str]:
    """Every string of a module but its documentation."""
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


@pytest.mark.parametrize("path", sorted({*DRAWN} - {TABLE}), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_glyph_of_the_app_has_its_ascii(path: Path) -> None:
    beyond = {char for text in strings(path) for char in text if not char.isascii()}
    assert beyond <= set(ASCII), f"{path} draws what the table of glyphs lacks"


def test_every_glyph_that_textual_draws_has_its_ascii() -> None:
    from textual._border import BORDER_CHARS
    from textual.scrollbar import ScrollBarRender

    borders = "".join(part for rows in BORDER_CHARS.values() for row in rows for part in row)
    bars = "".join([*ScrollBarRender.VERTICAL_BARS, *ScrollBarRender.HORIZONTAL_BARS])
    assert as_ascii(borders + bars).isascii()


def test_a_replacement_is_ascii_and_as_wide_as_its_glyph() -> None:
    for glyph, sign in ASCII.items():
        assert sign.isascii(), glyph
        assert cell_len(sign) == cell_len(glyph), glyph


def test_marks_of_different_meaning_stay_different() -> None:
    for marks in ("●○✓✗◐", "●○✓✗‖■", "✓✗○⚑", "←→↑↓", "╌┄╍"):
        assert len({ASCII[mark] for mark in marks}) == len(marks), marks


@given(st.text(alphabet=st.sampled_from([*ASCII, "a", "é", "漢", "\n"]), max_size=80))
def test_no_line_changes_its_width_and_foreign_letters_stay(text: str) -> None:
    plain = as_ascii(text)
    assert cell_len(plain) == cell_len(text)
    assert {char for char in plain if not char.isascii()} == {char for char in text if char in "é漢"}


def test_a_curve_keeps_its_shape() -> None:
    assert as_ascii("⠉⠒⠤⣀") == "'--.", "it falls"
    assert as_ascii("⡇⢸⣿ ") == "::: "


def screen_text(app: DistillApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(Size(*app.size)))


async def drawn(pilot: Pilot[int], *keys: str) -> str:
    await pilot.press(*keys)
    await pilot.pause(0.3)
    app = pilot.app
    assert isinstance(app, DistillApp)
    return screen_text(app)


@pytest.mark.parametrize(
    ("stage", "size"),
    [
        *((stage, (120, 40)) for stage in ("new", "generating", "failed", "training", "done")),
        *((stage, (80, 24)) for stage in ("training", "done")),  # less is drawn there, and lists have other lines
    ],
)
async def test_every_pane_is_ascii(home: Home, stage: str, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_stage(home, stage), abilities=Abilities(unicode=False))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        for keys in ([], *([key] for key in PANE_KEYS.values())):
            assert (text := await drawn(pilot, *keys)).isascii(), (keys, set(text) - set(map(chr, range(128))))
        for opened, closed in (("c", "escape"), ("question_mark", "escape"), ("ctrl+p", "escape"), ("o", "enter")):
            assert (await drawn(pilot, opened)).isascii(), opened
            await pilot.press(closed)


@pytest.mark.parametrize(
    ("wanted", "unicode", "expected"), [(True, True, True), (False, False, False), (None, True, False)]
)
async def test_the_setting_goes_before_what_the_terminal_can(
    home: Home, wanted: bool | None, unicode: bool, expected: bool
) -> None:
    app = DistillApp(home, make_stage(home, "done"), Settings(ascii=wanted), Abilities(unicode=unicode))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        assert (await drawn(pilot)).isascii() is expected
