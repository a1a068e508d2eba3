"""Every action of the table is pressed where it holds: something is seen to happen, or is said; never nothing.

What would begin work elsewhere is held back: commands, trials, and the processes of jobs.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.errors import UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message, Prompt
from tests.tui.jobs.test_screen import make_jobs
from tests.tui.panes.measured import make_compared
from tests.tui.piloting import open_app, seen, until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS, PANE_KEYS, PANES, Place
from tui.actions.lists import MOVES
from tui.app import DistillApp
from tui.services.trial import TrialEnded, TrialService
from tui.widgets.placed import PlacedScreen

# The keys that lead to each place from a project that was just opened.
WAYS: dict[Place, str] = {
    **PANE_KEYS,
    "everywhere": "4",
    "workspace": "4",
    "rules": "1 R",
    "versions": "1 v",
    "trial": "1 T enter",
    "proposals": "1 P",
    "findings": "1 C",
    "editing": "1 i",
    "testing": "1 R t",
    "figures": "8 e",
    "asking": "9 i",
    "searching": "2 T slash",
    "words": "2 slash",
    "found": "6 slash f r a u d enter",
    "curate": "c",
    "narrow": "c F",
    "jobs": "L",
    "answers": "6 enter",
    "history": "6 equals_sign",
    "differences": "6 d",
    "preview": "2 S enter",
    "twins": "2 d",
    "start": "o",
    "form": "o D",
    "help": "4 question_mark",
}
UP = ("line_up", "page_up", "first")
# What has to be done before some actions can do anything, where the way there is not enough.
BEFORE: dict[str, str] = {
    **{f"{place}.{move}": "G" for place in ACTIONS for move in UP},
    **{f"curate.{move}": "G" for move in ("row_up", "rows_up", "first")},
    "versions.page_down": "G enter",
    "versions.page_up": "pagedown",
    "editing.undo": "x",
    "editing.redo": "x ctrl+underscore",
    "asking.send": "w h y",
    "asking.end": "w h y home",
    "form.next_choice": "down",
    "start.line_down": "g",  # a project that was archived and brought back may have taken the cursor down with it
    "curate.natural": "greater_than_sign",
    "curate.back": "space",
    "workspace.natural": "greater_than_sign",
    "answers.previous_answer": "right_square_bracket",
    "evaluation.back": "equals_sign",
    "run.choose": "equals_sign j",
    "run.back": "equals_sign",
    "questions.back": "T",
    "questions.take": "T",
}
# They are pressed too, and do nothing: what is on the page fits it and has no second row, or nothing was begun that
# could be left. Tests of their own panes see them at work.
RESTING = {
    *(f"{place}.{move.id}" for move in MOVES for place in
      ("trial", "proposals", "findings", "dataset", "release", "cost", "chat", "preview", "differences")),
    *(f"{place}.{move}" for place in ("rules", "start", "jobs") for move in ("page_down", "page_up")),
    "asking.scroll_up", "asking.scroll_down", "asking.follow", "curate.answer_down", "curate.answer_up",
    "testing.findings_down", "testing.findings_up", "form.page_down", "form.page_up",
    "chat.halt", "examples.back", "release.back", "start.back",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_begins(monkeypatch: pytest.MonkeyPatch, still_meter: None) -> None:
    numbers = count(1)

    def refused(words: Sequence[str], *_where: object) -> object:
        if tuple(words[:2]) == ("questions", "split") and "--dry-run" in words:  # nothing begins by it
            return {"drawn": 1, "topics": [{"topic": "cards", "train": 1, "validation": 0, "test": 0}]}
        if tuple(words[:2]) == ("questions", "dedupe"):
            return {"pairs": [{"kept": 1, "dropped": number, "similarity": 0.9} for number in (2, 3, 4)]}
        raise UsageError("Nothing is carried out here.", f"Command {next(numbers)}.")

    def begun(trial: TrialService, *_asked: object) -> int:
        trial._number += 1
        return trial._number

    monkeypatch.setattr("tui.services.program.carry_out", refused)
    monkeypatch.setattr("tui.services.cost.carry_out", refused)

    def ended(trial: TrialService) -> None:
        trial._target.post_message(TrialEnded(trial._number, None))

    monkeypatch.setattr(TrialService, "start", begun)
    monkeypatch.setattr(TrialService, "stop", ended)
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)


def state_of(app: DistillApp) -> object:
    """All that meets the eye, and whether the person has left."""
    return app._exit, seen(app)


async def still(pilot: Pilot[int]) -> object:
    """What is seen once nothing moves any more; nothing that was said before stands there."""
    app = pilot.app
    app.clear_notifications()
    before: object = None
    for _ in range(100):
        now = state_of(app)
        if now == before:
            return now
        before = now
        await pilot.pause(0.05)
    raise AssertionError("the screen never stands still")


async def answers(pilot: Pilot[int], key: str, polls: int = 40) -> bool:
    """Whether anything is seen after this key that was not seen before it."""
    before = await still(pilot)
    await pilot.press(key)
    for _ in range(polls):
        if state_of(pilot.app) != before:
            return True
        await pilot.pause(0.05)
    return False


def places(app: DistillApp) -> list[Place]:
    return [place for place, _ in app.screen.binding_chain] if isinstance(app.screen, PlacedScreen) else []


async def arrive(pilot: Pilot[int], place: Place) -> None:
    app = pilot.app
    await until(pilot, lambda: "workspace" in places(app) and len(places(app)) > 1)
    for key in WAYS[place].split():
        await still(pilot)
        await pilot.press(key)
    await until(pilot, lambda: place == "everywhere" or place in places(app))


def made_for(home: Home, place: Place) -> Path:
    if place == "jobs":
        return make_jobs(home)
    return make_stage(home, "done") if place in ("release", "chat", "asking") else make_compared(home)


@pytest.mark.parametrize("place", ACTIONS)
async def test_no_action_is_silent(home: Home, place: Place) -> None:
    folder = made_for(home, place)
    if place == "versions":
        same = "\n".join(f"Line {number} stays as it is." for number in range(40))
        with Project.open(folder, home) as project:  # others to go to, in which little changed
            for word in ("kind", "brief"):
                project.prompts.set(Prompt((Message("system", f"{same}\nBe {word}."),)))
    if place == "start":
        Project.create(home.projects / "other", home=home).close()
    left, silent = list(ACTIONS[place]), set[str]()
    while left:
        app = open_app(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await arrive(pilot, place)
            here = places(app)
            while left and places(app) == here and not app._exit:
                action = left.pop(0)
                name = f"{place}.{action.id}"
                for key in BEFORE.get(name, "").split():
                    await pilot.press(key)
                if not await answers(pilot, action.keys.split(",")[0], 2 if name in RESTING else 40):
                    silent.add(name)
                # Panes leave what was opened by the same key; a part of a pane would be left itself.
                for _ in range(2):
                    if (place in PANES or places(app) != here) and not app._exit:
                        await pilot.press("escape")
                        await pilot.pause(0.05)

    assert silent <= RESTING


async def test_a_key_of_no_action_is_silent(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await arrive(pilot, "dataset")
        assert not await answers(pilot, "f12", 10)
