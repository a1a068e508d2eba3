"""Every action of the table has a visible effect where it applies: something changes, or a message says why not.

Commands, trials and the processes of jobs are replaced by fakes that start nothing.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from engine.errors import UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message, Prompt
from tests.tui.jobs.job_projects import make_jobs
from tests.tui.panes.measured_projects import make_compared
from tests.tui.piloting import open_app, screen_contents, until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS, PANE_KEYS, PANES, Place, chain
from tui.actions.lists import MOVES
from tui.services.trial import TrialEnded, TrialService
from tui.widgets.placed import PlacedScreen

# The keys that lead to each place in a newly opened project.
PATHS: dict[Place, str] = {
    **dict[Place, str](PANE_KEYS.items()),
    "everywhere": "4",
    "workspace": "4",
    "rules": "1 R",
    "versions": "1 v",
    "trial": "1 T enter",
    "proposals": "1 P",
    "findings": "1 C",
    "editing": "1 e",
    "testing": "1 R t",
    "figures": "8 e",
    "asking": "9 i",
    "searching": "2 T slash",
    "words": "2 slash",
    "found": "6 slash f r a u d enter",
    "curate": "c",
    "narrow": "c T",
    "correcting": "c e",
    "jobs": "L",
    "answers": "6 enter",
    "history": "6 equals_sign",
    "differences": "6 d",
    "preview": "2 S enter",
    "twins": "2 d",
    "start": "o",
    "form": "o c",
    "help": "4 question_mark",
}
UP = ("line_up", "page_up", "first")
# Keys to press before some actions have anything to act on.
PREPARATION: dict[str, str] = {
    **{f"{place}.{move}": "G" for place in ACTIONS for move in UP},
    **{f"curate.{move}": "G" for move in ("row_up", "rows_up", "first")},
    "versions.page_down": "G enter",
    "versions.page_up": "pagedown",
    "editing.undo": "x",
    "editing.redo": "x ctrl+underscore",
    "correcting.undo": "x",
    "correcting.redo": "x ctrl+underscore",
    "asking.send": "w h y",
    "asking.end": "w h y home",
    "form.next_choice": "down",
    "start.line_down": "g",  # archiving a project and restoring it may have moved the cursor down
    "curate.natural": "greater_than_sign",
    "curate.back": "space",
    "workspace.natural": "greater_than_sign",
    "answers.previous_answer": "right_square_bracket",
    "answers.page_up": "pagedown",
    "answers.first": "j",
    "evaluation.back": "equals_sign",
    "run.choose": "equals_sign j",
    "run.back": "equals_sign",
    "questions.back": "T",
    "questions.take": "T",
}
# Actions without effect here: the page has nothing to scroll or no second row, or there is nothing to stop or leave.
# The tests of their panes cover them.
NO_EFFECT_HERE = {
    *(f"{place}.{move.id}" for move in MOVES for place in
      ("trial", "proposals", "findings", "dataset", "release", "cost", "chat", "preview", "differences")),
    *(f"{place}.{move}" for place in ("rules", "start", "jobs") for move in ("page_down", "page_up")),
    "asking.scroll_up", "asking.scroll_down", "asking.follow", "curate.answer_down", "curate.answer_up",
    "testing.findings_down", "testing.findings_up", "form.page_down", "form.page_up",
    "chat.halt", "examples.back", "release.back", "start.back",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_real_work(monkeypatch: pytest.MonkeyPatch, fixed_meter: None) -> None:
    numbers = count(1)

    def refuse(args: Sequence[str], *_rest: object) -> object:
        if tuple(args[:2]) == ("questions", "split") and "--dry-run" in args:  # starts no work
            return {"drawn": 1, "topics": [{"topic": "cards", "train": 1, "validation": 0, "test": 0}], "notes": []}
        if tuple(args[:2]) == ("questions", "dedupe"):
            return {"pairs": [{"kept": 1, "dropped": number, "similarity": 0.9} for number in (2, 3, 4)]}
        raise UsageError("Nothing is carried out here.", f"Command {next(numbers)}.")

    def start_trial(trial: TrialService, *_rest: object) -> int:
        trial._number += 1
        return trial._number

    monkeypatch.setattr("tui.services.program.carry_out", refuse)
    monkeypatch.setattr("tui.services.cost.carry_out", refuse)

    def stop_trial(trial: TrialService) -> None:
        trial._target.post_message(TrialEnded(trial._number, None))

    monkeypatch.setattr(TrialService, "start", start_trial)
    monkeypatch.setattr(TrialService, "stop", stop_trial)
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)


def app_state(app: App[int]) -> object:
    """Return everything drawn on the screen, and whether the app has quit."""
    return app._exit, screen_contents(app)


async def settled_state(pilot: Pilot[int]) -> object:
    """Dismiss all toasts, wait until the screen stops changing, and return its state."""
    app = pilot.app
    app.clear_notifications()
    before: object = None
    for _ in range(100):
        now = app_state(app)
        if now == before:
            return now
        before = now
        await pilot.pause(0.05)
    raise AssertionError("the screen never stopped changing")


async def has_visible_effect(pilot: Pilot[int], key: str, polls: int = 40) -> bool:
    """Return whether the key visibly changes the screen."""
    before = await settled_state(pilot)
    await pilot.press(key)
    for _ in range(polls):
        if app_state(pilot.app) != before:
            return True
        await pilot.pause(0.05)
    return False


def active_places(app: App[int]) -> list[Place]:
    return [place for place, _ in app.screen.binding_chain] if isinstance(app.screen, PlacedScreen) else []


async def go_to(pilot: Pilot[int], place: Place) -> None:
    app = pilot.app
    await until(pilot, lambda: "workspace" in active_places(app) and len(active_places(app)) > 1)
    for key in PATHS[place].split():
        await settled_state(pilot)
        await pilot.press(key)
    await until(pilot, lambda: place == "everywhere" or place in active_places(app))


def make_project_for(home: Home, place: Place) -> Path:
    if place == "jobs":
        return make_jobs(home)
    return make_stage(home, "done") if place in ("release", "chat", "asking") else make_compared(home)


@pytest.mark.parametrize("place", ACTIONS)
async def test_every_action_has_a_visible_effect(home: Home, place: Place) -> None:
    folder = make_project_for(home, place)
    if place == "versions":
        same = "\n".join(f"Line {number} stays as it is." for number in range(40))
        with Project.open(folder, home) as project:  # more versions to select, with small changes
            for word in ("kind", "brief"):
                project.prompts.set(Prompt((Message("system", f"{same}\nBe {word}."),)))
    if place == "start":
        Project.create(home.projects / "other", home=home).close()
    remaining, silent = list(ACTIONS[place]), set[str]()
    while remaining:
        app = open_app(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await go_to(pilot, place)
            start = active_places(app)
            real = (*start, "everywhere")
            under = real[real.index(place) :]
            assert tuple(name for name in under if place != "found" or name not in PANES) == chain(place)
            while remaining and active_places(app) == start and not app._exit:
                action = remaining.pop(0)
                name = f"{place}.{action.id}"
                for key in PREPARATION.get(name, "").split():
                    await pilot.press(key)
                if not await has_visible_effect(pilot, action.keys.split(",")[0], 2 if name in NO_EFFECT_HERE else 40):
                    silent.add(name)
                # Close what the key opened; in a part of a pane, escape would close the part itself.
                for _ in range(2):
                    if (place in PANES or active_places(app) != start) and not app._exit:
                        await pilot.press("escape")
                        await pilot.pause(0.05)

    assert silent <= NO_EFFECT_HERE


async def test_unassigned_key_has_no_visible_effect(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to(pilot, "dataset")
        assert not await has_visible_effect(pilot, "f12", 10)
