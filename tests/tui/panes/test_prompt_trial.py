"""Trying the prompt: the teacher answers a few questions, and the rules check them."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.options import TeacherSpec
from tests.engine.teachers.hostile_server import HostileServer, error, good, served, stalls, status
from tests.tui.panes.helpers import notified
from tests.tui.panes.prompt_helpers import (
    footer_labels,
    form_title,
    mode,
    open_pane,
    pane,
    save_elsewhere,
    shown_facts,
    text,
    type_text,
)
from tests.tui.piloting import SIZES, until
from tests.tui.seeds import PROMPT
from tui.app import DistillApp


class TestTrial:
    @pytest.fixture
    def server(self, home: Home, prompt_project: Path) -> Iterator[HostileServer]:
        with served(good("RISK SCORE: 2. ", "It is open.")) as server:
            with Project.open(prompt_project, home) as project:
                settings = project.settings.read()
                teacher = TeacherSpec("endpoint", "peer", server.url)
                project.settings.write(dataclasses.replace(settings, teacher=teacher))
            yield server

    @pytest.mark.parametrize("size", SIZES)
    async def test_trial_shows_the_answer_with_its_rule_checks(
        self, home: Home, prompt_project: Path, server: HostileServer, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=size, notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form_title(app) == "Try the prompt")
            await type_text(pilot, "Open?")
            await pilot.press("enter")
            await until(pilot, lambda: "1 of 1 pass every rule" in text(app))
            assert "RISK SCORE: 2. It is open." in text(app)
            assert "✓ 1 Starts with a risk score" in text(app)
            await pilot.press("escape")
            await until(pilot, lambda: mode(app) == "reading")
            await pilot.press("T")
            await until(pilot, lambda: mode(app) == "trial" and "1 of 1 pass every rule" in text(app))
            assert "is current" not in text(app)
            save_elsewhere(prompt_project, home)
            await until(pilot, lambda: "answers to version 2; version 3 of the prompt is current" in text(app))
        assert server.requests[0].question == "Open?"

    async def test_trial_is_stopped_by_its_own_key(
        self, home: Home, prompt_project: Path, server: HostileServer
    ) -> None:
        server.behaviours[:] = [good("RISK SCORE: 2. ", "It is open."), stalls()]
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form_title(app) == "Try the prompt")
            await pilot.press("enter")
            await until(pilot, lambda: "is answering question 2" in text(app))
            assert "stop asking" in footer_labels(app)
            await pilot.press("x")
            await until(pilot, lambda: "Stopped." in text(app) and "1 of 3 answered" in text(app))
            await until(pilot, lambda: not pane(app).state.trial.running)
            await until(pilot, lambda: "stop asking" not in footer_labels(app))
            await pilot.press("x")  # the key that stops a job in other panes
            await until(pilot, lambda: notified(app, "No question is being asked."))
            assert not notified(app, "There is no job.")

    async def test_reason_for_a_retry_is_shown_while_it_waits(
        self, home: Home, prompt_project: Path, server: HostileServer
    ) -> None:
        busy = status("503 Service Unavailable", error("Warming up."), "retry-after: 2")
        server.behaviours[:] = [busy, good("RISK SCORE: 2. ", "It is open.")]
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form_title(app) == "Try the prompt")
            await type_text(pilot, "Open?")
            await pilot.press("enter")
            await until(pilot, lambda: "● question 1: Retry 1 of 6 in 2 s: The server failed." in text(app))
            await until(pilot, lambda: "1 of 1 pass every rule" in text(app))
            assert "Retry" not in text(app)

    async def test_refusing_teacher_is_reported(self, home: Home, prompt_project: Path, server: HostileServer) -> None:
        server.behaviours[:] = [status("401 Unauthorized", error("No such key"))]
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form_title(app) == "Try the prompt")
            await pilot.press("enter")
            await until(pilot, lambda: "✗" in text(app) and "T tries again" in text(app))

    async def test_trial_needs_a_prompt_and_a_question(self, home: Home, project_without_prompt: Path) -> None:
        app = DistillApp(home, project_without_prompt)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: notified(app, "No prompt yet: e writes one"))
            with Project.open(project_without_prompt, home) as project:
                project.prompts.set(PROMPT)
            await until(pilot, lambda: shown_facts(app).prompt is not None)
            await pilot.press("T")
            await until(pilot, lambda: form_title(app) == "Try the prompt")
            await pilot.press("enter")
            await pilot.pause()
            assert form_title(app) == "Try the prompt"


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.usefixtures("fixed_meter")
def test_trial_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, prompt_project: Path, size: tuple[int, int]
) -> None:
    with served(good("RISK SCORE: 2. ", "It is open."), good("I am sorry. ", "It is shut."), stalls()) as server:
        with Project.open(prompt_project, home) as project:
            settings = project.settings.read()
            project.settings.write(dataclasses.replace(settings, teacher=TeacherSpec("endpoint", "peer", server.url)))

        async def settle(pilot: Pilot[int]) -> None:
            app = pilot.app
            assert isinstance(app, DistillApp)
            await open_pane(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form_title(app) != "")
            await pilot.press("enter")
            await until(pilot, lambda: "is answering question 3" in text(app))
            pane(app).state.trial.teacher = "peer @ 127.0.0.1"
            pane(app).redraw()
            await pilot.pause()

        assert snap_compare(DistillApp(home, prompt_project), terminal_size=size, run_before=settle)
