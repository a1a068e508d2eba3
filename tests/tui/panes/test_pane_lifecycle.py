"""Panes before they have room on the screen, and while the app quits."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.message_pump import MessagePump

from engine.paths import Home
from engine.project import Project
from tests.tui.panes.measured_projects import make_compared
from tests.tui.piloting import facts_of, open_app, wait_for_facts, wait_for_toast
from tui.panes.dataset.pane import DatasetPane
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.pane import Pane
from tui.panes.run.pane import RunPane
from tui.services.store import StoreService


class RecordingStore(StoreService):
    """A store service that records requests instead of running them."""

    def __init__(self, folder: Path, home: Home) -> None:
        self.folder, self.home = folder, home
        self.requests: list[Callable[[Project], object]] = []

    def carry_out(self, work: Callable[[Project], object], target: MessagePump) -> None:
        self.requests.append(work)


@pytest.mark.parametrize("kind", [RunPane, EvaluationPane])
async def test_pane_requests_its_data_before_it_has_room(home: Home, kind: type[Pane]) -> None:
    folder = make_compared(home)
    app = open_app(home, folder)
    async with app.run_test(notifications=True) as pilot:
        await wait_for_facts(pilot)
        store = RecordingStore(folder, home)
        kind(store).show(facts_of(app), None)
        assert store.requests, "nothing would request the data again while the project is unchanged"


@pytest.mark.parametrize(
    ("kind", "action", "expected"),
    [
        (DatasetPane, "freeze", "No answer is accepted yet"),
        (RunPane, "train", "There is no dataset to train on"),
        (EvaluationPane, "improve", "The teacher needs a prompt first"),
    ],
)
async def test_action_of_a_pane_without_room_says_what_is_missing(
    home: Home, project_without_prompt: Path, kind: type[Pane], action: str, expected: str
) -> None:
    app = open_app(home, project_without_prompt)
    async with app.run_test(notifications=True) as pilot:
        await wait_for_facts(pilot)
        pane = kind(RecordingStore(project_without_prompt, home))
        pane.show(facts_of(app), None)
        getattr(pane, f"action_{action}")()
        await wait_for_toast(pilot, expected)


@pytest.mark.parametrize("turns", [0, 6, 9, 12])
async def test_app_can_quit_while_a_pane_is_being_mounted(home: Home, turns: int) -> None:
    folder = make_compared(home)
    for number in range(1, 10):
        app = open_app(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await wait_for_facts(pilot)
            app.simulate_key(str(number))
            for _ in range(turns):
                await asyncio.sleep(0)
            app.exit()
