"""Keys that are pressed twice before the first has done its work: on a slow line, or by an impatient hand."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from tests.tui.curate.reviewing import make_reviewed, opened, settled
from tests.tui.piloting import SIZES, form_of, open_app, pane_of, reach, until
from tests.tui.seeds import make_project, make_stage
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.keys import key_of
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.examples.pane import ExamplesPane
from tui.panes.pane import Pane
from tui.panes.prompt.pane import PromptPane
from tui.panes.run.pane import RunPane


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that was started stays one that waits."""
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)


def jobs(folder: Path, home: Home) -> list[str]:
    with Project.open(folder, home) as project:
        return [job.kind for job in project.jobs.all() if job.state == "waiting"]


def at_once(app: DistillApp, *keys: str) -> None:
    for key in keys:
        app.simulate_key(key)


async def told(pilot: Pilot[int], title: str) -> None:
    await until(pilot, lambda: title in [note.title for note in pilot.app._notifications])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kind", "action", "job"),
    [
        (RunPane, "run.train", "train"),
        (ExamplesPane, "examples.generate", "generate"),
        (EvaluationPane, "evaluation.evaluate", "evaluate"),
    ],
)
async def test_a_form_opens_once_and_starts_one_job(
    home: Home, kind: type[Pane], action: str, job: str, size: tuple[int, int]
) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.questions.add([Question((Message("user", "Another one?"),), topic="x", source="s", split="train")])
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await reach(pilot, int(key_of(f"workspace.{kind.place}")), kind, lambda: bool(pane_of(app, kind).view))
        await pilot.pause(0.5)
        at_once(app, *[key_of(action)] * 3)
        await form_of(pilot)
        await pilot.pause(0.5)
        assert sum(isinstance(screen, FormScreen) for screen in app.screen_stack) == 1
        await pilot.press("enter")
        await until(pilot, lambda: jobs(folder, home) == [job])
        await pilot.pause(0.5)
        assert not isinstance(app.screen, FormScreen)
        assert jobs(folder, home) == [job]


async def test_an_answer_is_asked_for_again_once(home: Home) -> None:
    folder = make_reviewed(home)
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await settled(pilot, app)
        at_once(app, *[key_of("curate.again")] * 2)
        await told(pilot, "A job is already doing this.")
    assert jobs(folder, home) == ["generate"]


async def test_two_changes_of_the_rules_are_taken_back_by_two_keys(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)

    def rules() -> list[int]:
        with Project.open(folder, home) as project:
            return [rule.id for rule in project.rules.all()]

    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await reach(pilot, 1, PromptPane, lambda: bool(pane_of(app, PromptPane).view))
        await pilot.press(key_of("prompt.rules"))
        for left in ([2, 3, 4], [3, 4]):
            await pilot.press(key_of("rules.remove"))
            await until(pilot, lambda left=left: rules() == left)
            await pilot.pause(1.5)  # the pane has to know of it
        at_once(app, *[key_of("rules.undo")] * 3)
        await told(pilot, "Nothing to undo.")
        assert rules() == [1, 2, 3, 4]
