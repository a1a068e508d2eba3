"""Keys pressed again before the first press has taken effect, as on a slow connection."""

from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from tests.tui.curate.review_helpers import make_reviewed_project, open_review, wait_until_loaded
from tests.tui.piloting import (
    SIZES,
    go_to_pane,
    open_app,
    pane_of,
    press_at_once,
    until,
    wait_for_form,
    wait_for_toast,
)
from tests.tui.seeds import make_project, make_stage
from tui.forms.screen import FormScreen
from tui.keys import key_of
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.examples.pane import ExamplesPane
from tui.panes.pane import Pane
from tui.panes.prompt.pane import PromptPane
from tui.panes.run.pane import RunPane


@pytest.fixture(autouse=True)
def jobs_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave every started job waiting."""
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)


def waiting_jobs(folder: Path, home: Home) -> list[str]:
    with Project.open(folder, home) as project:
        return [job.kind for job in project.jobs.all() if job.state == "waiting"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kind", "action", "job"),
    [
        (RunPane, "run.train", "train"),
        (ExamplesPane, "examples.generate", "generate"),
        (EvaluationPane, "evaluation.evaluate", "evaluate"),
    ],
)
async def test_repeated_key_opens_one_form_and_starts_one_job(
    home: Home, kind: type[Pane], action: str, job: str, size: tuple[int, int]
) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.questions.add([Question((Message("user", "Another one?"),), topic="x", source="s", split="train")])
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, int(key_of(f"workspace.{kind.place}")), kind, lambda: bool(pane_of(app, kind).view))
        await pilot.pause(0.5)
        press_at_once(app, *[key_of(action)] * 3)
        await wait_for_form(pilot)
        await pilot.pause(0.5)
        assert sum(isinstance(screen, FormScreen) for screen in app.screen_stack) == 1
        await pilot.press("enter")
        await until(pilot, lambda: waiting_jobs(folder, home) == [job])
        await pilot.pause(0.5)
        assert not isinstance(app.screen, FormScreen)
        assert waiting_jobs(folder, home) == [job]


async def test_repeated_key_asks_for_a_new_answer_once(home: Home) -> None:
    folder = make_reviewed_project(home)
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        press_at_once(app, *[key_of("curate.again")] * 2)
        await wait_for_toast(pilot, "A job is already doing this.")
    assert waiting_jobs(folder, home) == ["generate"]


async def test_each_undo_key_takes_back_one_rule_change(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)

    def rules() -> list[int]:
        with Project.open(folder, home) as project:
            return [rule.id for rule in project.rules.all()]

    def shown_rules() -> list[int]:
        facts = pane_of(app, PromptPane).facts
        return [rule.id for rule in facts.rules] if facts is not None else []

    async def wait_for_shown_rules(count: int) -> None:
        await until(pilot, lambda: len(shown_rules()) == count)

    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: bool(pane_of(app, PromptPane).view))
        await pilot.press(key_of("prompt.rules"))
        for count in (3, 2):
            await pilot.press(key_of("rules.remove"))
            await wait_for_shown_rules(count)
            assert rules() == shown_rules() == [1, 2, 3, 4][-count:]
        press_at_once(app, *[key_of("rules.undo")] * 3)
        await wait_for_toast(pilot, "Nothing to undo.")
        assert rules() == [1, 2, 3, 4]
