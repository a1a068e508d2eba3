"""Starting the demo from the start screen."""

import pytest

from engine import demo
from engine.demo import demo_questions
from engine.paths import Home
from engine.project import Project
from engine.projects import archive, look
from engine.records.job import LIVE_STATES
from tests.tui.piloting import until, wait_for_form
from tests.tui.start.list_helpers import page_text, wait_for_list
from tui.app import DistillApp
from tui.screens.start.forms import DEMO_SENTENCES, QUICK, WHOLE
from tui.screens.workspace.screen import WorkspaceScreen


async def test_demo_is_started_and_shown(home: Home, app: DistillApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_list(pilot)
        await pilot.press("d")
        await wait_for_form(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        with Project.open(home.projects / "demo-quick", home) as project:
            (job,) = project.jobs.all()
            assert job.state in LIVE_STATES
            from engine.jobs.control import stop

            stop(project, job, force=True)


def test_demo_form_states_its_question_counts() -> None:
    assert DEMO_SENTENCES[WHOLE].startswith(f"{len(list(demo_questions()))} questions")
    smaller = (demo.QUICK.train_questions, demo.QUICK.validation_questions, demo.QUICK.test_questions)
    assert DEMO_SENTENCES[QUICK].startswith(f"{sum(count or 0 for count in smaller)} questions")


async def test_starting_an_archived_demo_restores_it(
    home: Home, app: DistillApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    Project.create(home.projects / "demo", home=home).close()
    archive(home.projects / "demo", home)
    monkeypatch.setattr("engine.demo.ensure_demo_job", lambda project, quick: None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        assert "Every project is archived." in page_text(screen, "listed")
        await pilot.press("d")
        await wait_for_form(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
    assert not look(home.projects / "demo", home).archived
