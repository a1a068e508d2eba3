"""Snapshots of the start screen: the list and its forms in every state."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.paths import Home
from tests.tui.piloting import form_aside, wait_for_text
from tests.tui.start.list_helpers import wait_for_list
from tui.app import DistillApp

WIDE, NARROW = (120, 40), (80, 24)
STATES = [
    ("several", "", WIDE),
    ("several", "", NARROW),
    ("archived-shown", "full_stop", WIDE),
    ("trouble", "full_stop j j j j j j", WIDE),
    ("search", "slash t r i", WIDE),
    ("search-nothing", "slash q q", WIDE),
    ("new", "n", WIDE),
    ("new", "n", NARROW),
    ("new-error", "n t r i a g e tab tab right enter", WIDE),
    ("new-error", "n t r i a g e tab tab right enter", NARROW),
    ("demo", "d right", WIDE),
    ("demo", "d right", NARROW),
    ("delete", "j j D t h e", WIDE),
    ("duplicate", "j j c", WIDE),
]


@pytest.fixture(autouse=True)
def no_cursor_blinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the cursor visible: a slow snapshot could fall between two blinks."""
    monkeypatch.setattr(Input.cursor_blink, "_default", False)


@pytest.mark.parametrize(
    ("keys", "size"),
    [pytest.param(keys, size, id=f"{name}-{size[0]}") for name, keys, size in STATES],
)
def test_list_matches_its_snapshot(
    snap_compare: Callable[..., bool], eight_projects: Home, app: DistillApp, keys: str, size: tuple[int, int]
) -> None:
    async def press(pilot: Pilot[int]) -> None:
        await wait_for_list(pilot)
        await pilot.press(*keys.split())
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=press)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120", "80"])
def test_empty_list_matches_its_snapshot(
    snap_compare: Callable[..., bool], app: DistillApp, size: tuple[int, int]
) -> None:
    async def settle(pilot: Pilot[int]) -> None:
        await wait_for_list(pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)


def test_new_project_form_with_a_prompt_file_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    eight_projects: Home,
    app: DistillApp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompt.md").write_text("Answer in one word.\n\n## User\n\na?\n\n## Assistant\n\nb\n")

    async def fill_in(pilot: Pilot[int]) -> None:
        await wait_for_list(pilot)
        await pilot.press("n", *"bank", *(["down"] * 6), *"prompt.md")
        await wait_for_text(pilot, form_aside, "≈")
        await pilot.pause()

    assert snap_compare(app, terminal_size=(120, 40), run_before=fill_in)
