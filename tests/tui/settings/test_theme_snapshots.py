"""Snapshots of the workspace during a training: in each theme, in ASCII, and without colours."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from engine.paths import Home
from tests.tui.piloting import until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.themes import shipped_folder
from tui.settings import Settings
from tui.terminal.abilities import Abilities

NAMES = sorted(path.stem for path in shipped_folder().glob("*.yaml"))
CASES = [
    *(pytest.param(Settings(theme=name), Abilities(), id=name) for name in NAMES),
    pytest.param(Settings(ascii=True), Abilities(), id="ascii"),
    pytest.param(Settings(), Abilities(colours="none"), id="colourless"),
]


@pytest.mark.parametrize(("settings", "abilities"), CASES)
@pytest.mark.usefixtures("fixed_meter")
def test_theme_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, settings: Settings, abilities: Abilities
) -> None:
    async def settle(pilot: Pilot[int]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, WorkspaceScreen)
        await until(
            pilot,
            lambda: (
                screen.state.facts is not None
                and screen.state.job is not None
                and bool(screen.state.job.curves)
                and screen.state.load is not None
            ),
        )
        await pilot.pause(0.5)

    app = DistillApp(home, make_stage(home, "training"), settings, abilities)
    assert snap_compare(app, terminal_size=(120, 40), run_before=settle)
