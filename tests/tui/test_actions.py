"""The action table: what it feeds agrees with what is there."""

import pytest

from tui.actions import ACTIONS, Place, footer_actions, help_actions
from tui.app import DistillApp
from tui.screens.curate.screen import CurateScreen
from tui.screens.help.screen import help_text
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import WorkspaceScreen

CARRIERS: dict[Place, type] = {
    "everywhere": DistillApp,
    "workspace": WorkspaceScreen,
    "curate": CurateScreen,
    "start": StartScreen,
}
EATEN_BY_TMUX = {"ctrl+b", "ctrl+a", "ctrl+s", "ctrl+j", "ctrl+h", "ctrl+z"}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_a_carrier_and_a_key_that_arrives(action) -> None:  # type: ignore[no-untyped-def]
    assert callable(getattr(CARRIERS[action.place], f"action_{action.id}"))
    assert set(action.keys.split(",")) - EATEN_BY_TMUX
    assert action.help.endswith(".")


@pytest.mark.parametrize("place", ["workspace", "curate", "start"])
def test_a_footer_fits_80_columns_and_help_names_every_action(place: Place) -> None:
    shown = footer_actions(place)
    assert len(shown) <= 6
    assert sum(len(action.shown) + len(action.label) + 4 for action in shown) <= 78
    text = help_text(place).plain
    for action in help_actions(place):
        assert action.help in text


def test_no_key_means_two_things_in_one_place() -> None:
    for place in ("workspace", "curate", "start"):
        keys = [key for action in help_actions(place) for key in action.keys.split(",")]
        assert len(keys) == len(set(keys))
