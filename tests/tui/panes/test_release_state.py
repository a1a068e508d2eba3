"""The release pane without a screen: its state, and the lines that show it."""

from dataclasses import replace

import pytest

from engine.jobs.protocol import Note, Progress, StampedEvent, StateChanged
from engine.records.options import ProjectSettings
from engine.records.release import Parity, Release, ReleasedFile
from engine.records.station import STATIONS, Station
from tests.hostile import control_characters, hostile
from tests.tui.seeds import AT
from tui.panes.release.drawing import draw, size
from tui.panes.release.state import ReleaseState
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.job_view import JobView
from tui.services.release import Exportable, Released, ReleasePage


def released(number: int, folder: str = "/r") -> Released:
    files = (ReleasedFile("adapter_model.safetensors", "ab" * 32, 5_000_000),)
    return Released(Release(number, "adapter", 1, folder, "ab" * 32, AT), folder, files)


def test_cursor_moves_to_a_new_release() -> None:
    state = ReleaseState()
    state.take(ReleasePage((), (released(2), released(1))))
    state.move(2)  # stops at the last one
    state.take(ReleasePage((), (released(2), released(1))))
    assert state.cursor == 1
    state.take(ReleasePage((), (released(3), released(2), released(1))))
    assert state.under_cursor == released(3)
    state.take(ReleasePage())
    assert state.under_cursor is None


def test_parity_of_a_release_is_shown_below_it() -> None:
    state = ReleaseState()
    files = (ReleasedFile("model.gguf", "ab" * 32, 5_000_000),)
    release = Release(1, "gguf", 1, "/r", "ab" * 32, AT, Parity(8, 1_233, 1_230, 0.00081, 0.2))
    state.take(ReleasePage((), (Released(release, "/r", files),)))
    view = View(Facts("p", "/p", ProjectSettings(), tuple(Station(n, "done", 1, "") for n in STATIONS)), None, 90, 24)
    lines = [line.plain for line in draw(view, state, 0.0)]
    assert "  ✓ llama-server: 1,230 of 1,233 tokens as the weights, 0.00081 nats apart" in lines


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (270_000_000, "270.0 MB"),
        (14_200_000_000, "14.2 GB"),
    ],
)
def test_sizes_have_readable_units(count: int | None, expected: str) -> None:
    assert size(count) == expected


@pytest.mark.parametrize("width", [50, 76, 88])
@pytest.mark.parametrize("card", [None, hostile("card " * 99)], ids=["list", "card"])
def test_lines_fit_the_page_and_hostile_text_is_escaped(width: int, card: str | None) -> None:
    stations = tuple(Station(name, "stale", 1, "of an older run") for name in STATIONS)
    view = View(Facts("p", "/p", ProjectSettings(), stations), None, width, 24)
    runs = tuple(
        Exportable(n, "done", 216, None, 1.0, n == 9, {"adapter": 9, "merged": None}, {"adapter": "", "merged": ""})
        for n in range(9, 0, -1)
    )
    state = ReleaseState(card=(released(1).release, card) if card is not None else None)
    state.take(ReleasePage(runs, tuple(released(n, hostile("/x" * 99)) for n in range(12, 0, -1))))
    for line in draw(view, state, 0.0):
        assert line.cell_length <= width, line.plain
        assert not control_characters(line.plain, "")
    job = JobView(1, "export")
    for event in (StateChanged("running"), Note(hostile("said " * 40)), Progress(3, 9, hostile("told " * 40))):
        job.apply(StampedEvent(0.0, event))
        assert all(line.cell_length <= width for line in draw(replace(view, job=job), state, 99.0))
