"""Snapshots of the workspace around its panes: failures, jobs, layouts, help, overlays."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.paths import Home
from tests.tui.piloting import pane_text, until, wait_for_text
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.store import StoreService

# Stage of the project, keys to press, name.
STATES = [
    ("failed", "", "failed"),
    ("training", "", "training"),
    ("training", "f", "maximised"),
    ("ending", "", "ending"),
    ("training", "greater_than_sign greater_than_sign greater_than_sign", "wide-rail"),
    ("new", "5", "run-empty"),
    ("done", "5", "run-done"),
    ("new", "6", "evaluation-empty"),
    ("done", "question_mark", "help"),
]
AT_80 = {"run-done", "failed", "training", "maximised", "ending", "help"}
CASES = [pytest.param(*state, (120, 40), id=f"{state[2]}-120") for state in STATES] + [
    pytest.param(*state, (80, 24), id=f"{state[2]}-80") for state in STATES if state[2] in AT_80
]


@pytest.mark.parametrize(("stage", "keys", "name", "size"), CASES)
@pytest.mark.usefixtures("fixed_meter")
def test_screen_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    stage: str,
    keys: str,
    name: str,
    size: tuple[int, int],
) -> None:
    folder: Path = make_stage(home, stage)

    async def settle(pilot: Pilot[int]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, WorkspaceScreen)
        for _ in range(200):
            await pilot.pause(0.05)
            facts, job = screen.state.facts, screen.state.job
            watched = facts is not None and (not facts.jobs or (job is not None and (job.streams or job.curves)))
            running = facts is not None and facts.newest_job is not None and facts.newest_job.state == "running"
            if watched and (screen.state.load is not None or not running):
                break
        await pilot.press(*keys.split())
        await pilot.pause(0.5)

    assert snap_compare(DistillApp(home, folder), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120", "80"])
def test_stations_are_shown_before_the_project_is_read(
    snap_compare: Callable[..., bool], home: Home, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_stage(home, "done")
    monkeypatch.setattr(StoreService, "read", lambda _: None)

    async def settle(pilot: Pilot[int]) -> None:
        await pilot.pause(0.1)

    assert snap_compare(DistillApp(home, folder), terminal_size=size, run_before=settle)


OVERLAYS = [
    pytest.param(keys, size, id=f"{name}-{size[0]}")
    for keys, name, sizes in (
        ("ctrl+o", "jump", [(120, 40), (80, 24)]),
        ("ctrl+p", "palette", [(120, 40), (80, 24)]),
        ("comma", "project-settings", [(120, 40), (80, 24)]),
        ("", "too-small", [(59, 19)]),
    )
    for size in sizes
]


@pytest.mark.parametrize(("keys", "size"), OVERLAYS)
@pytest.mark.usefixtures("fixed_meter")
def test_overlay_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, keys: str, size: tuple[int, int]
) -> None:
    async def settle(pilot: Pilot[int]) -> None:
        await wait_for_text(pilot, pane_text, "every rule")
        await until(pilot, lambda: pilot.app.focused is not None and bool(pilot.app.focused.region.area))
        await pilot.pause(0.3)
        await pilot.press(*keys.split())
        await pilot.pause(0.5)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    assert snap_compare(DistillApp(home, make_stage(home, "done")), terminal_size=size, run_before=settle)
