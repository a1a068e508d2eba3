"""The dataset pane without a screen: its state, and the lines that show it."""

import pytest

from engine.errors import DistillError
from engine.records.dataset import DatasetSummary, FreezePreview, Refusal, TopicRows
from engine.records.example import ExampleCounts
from engine.records.options import ProjectSettings
from engine.records.station import STATIONS, Station
from tests.hostile import control_characters, hostile
from tests.tui.seeds import AT
from tui.panes.dataset.drawing import draw
from tui.panes.dataset.state import ALLOW, REJECT, DatasetState
from tui.panes.view import View
from tui.services.dataset import Frozen
from tui.services.facts import Facts


def test_preview_requested_during_another_runs_after_it() -> None:
    state = DatasetState()
    assert state.begin_look()
    assert not state.begin_look()
    assert state.end_look()
    assert state.begin_look()
    assert not state.end_look()


def state_with(*refused: Refusal) -> DatasetState:
    state = DatasetState()
    topics = (TopicRows("cards", "train", 7), TopicRows("fees", "validation", 3))
    state.take((), FreezePreview(topics, refused, 1, 2, 3, 4, lengths_checked=False), {})
    return state


def test_only_overlaps_can_be_allowed() -> None:
    overlap, message = Refusal(1, 1, "overlap", "words"), Refusal(2, 2, "message", "words")
    assert state_with(message).ways_out() == (REJECT,)
    both = state_with(overlap, message)
    assert both.ways_out() == (REJECT, ALLOW)
    assert (both.to_reject(REJECT), both.to_reject(ALLOW)) == ((1, 2), (2,))


def test_cursor_stays_within_the_list() -> None:
    state = state_with(*(Refusal(number, number, "cut", "cut") for number in range(1, 30)))
    state.move(99)
    assert state.cursor == 28
    state.take((), state_with(Refusal(1, 1, "cut", "cut")).preview, {})
    assert state.under_cursor == Refusal(1, 1, "cut", "cut")
    state.take((), state_with().preview, {})
    assert state.under_cursor is None


def view_of(width: int) -> View:
    stations = tuple(Station(name, "done", 1, "") for name in STATIONS)
    summary = DatasetSummary("ab" * 32, "cd" * 32, hostile("/models/tiny"), 26, 6, AT)
    facts = Facts("p", "/p", ProjectSettings(), stations, examples=ExampleCounts(10, 9, 1, 0), dataset=summary)
    return View(facts, None, width, 24)


@pytest.mark.parametrize("width", [50, 76, 88])
def test_lines_fit_the_page_and_hostile_text_is_escaped(width: int) -> None:
    state = state_with(*(Refusal(number, number, "overlap", hostile("word " * 200)) for number in range(1, 30)))
    state.questions = dict.fromkeys(range(1, 30), hostile("a question"))
    frozen = Frozen(DatasetSummary("ab" * 32, "cd" * 32, hostile("/models/tiny"), 26, 6, AT), 1, (1, 2))
    state.history = (frozen, frozen)
    state.failure = DistillError(hostile("title"), hostile("message " * 80), hostile("next"))
    for line in draw(view_of(width), state, 0.0):
        assert line.cell_length <= width, line.plain
        assert not control_characters(line.plain, "")
