"""The next step at a station, as the keys that a person who looks elsewhere would press."""

import pytest

from engine.records.options import ProjectSettings
from engine.records.station import Station, StationState
from tui.actions import PaneName
from tui.screens.workspace.steps import step_from
from tui.services.facts import Facts


@pytest.mark.parametrize(
    ("shown", "state", "words"),
    [
        ("evaluation", "ready", "e measures"),
        ("run", "ready", "6 e measures"),
        ("chat", "stale", "6 e measures again"),
        ("run", "running", "p pauses, x ends"),  # these hold everywhere
        ("run", "done", ""),
    ],
)
def test_a_key_of_the_station_comes_after_the_key_that_goes_there(
    shown: PaneName, state: StationState, words: str
) -> None:
    station = Station("evaluation", state, 0, "")
    assert step_from(shown, station, Facts("p", "/p", ProjectSettings(), (station,))) == words
