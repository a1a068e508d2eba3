"""Asking the teacher again from the review: jobs, new attempts, and answers that do not arrive."""

import dataclasses
from pathlib import Path

import pytest

from engine.jobs.protocol import StageStarted, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions, TeacherSpec
from tests.engine.teachers.hostile_server import good, served
from tests.tui.curate.review_helpers import (
    add_attempt,
    open_review,
    review_page,
    review_state,
    review_text,
    stored_examples,
    stored_states,
    wait_until_loaded,
)
from tests.tui.piloting import SIZES, screen_text, until, wait_for_form, wait_for_toast
from tests.tui.seeds import add_examples, add_job, make_project
from tui.app import DistillApp
from tui.screens.curate.screen import CurateScreen


@pytest.fixture
def started_jobs(monkeypatch: pytest.MonkeyPatch) -> list[GenerateOptions]:
    """Collect the options of started jobs; each is stored as running, without a process."""
    started: list[GenerateOptions] = []

    def start(project: Project, options: JobOptions) -> Job:
        assert isinstance(options, GenerateOptions)
        started.append(options)
        job = project.jobs.add(options)
        project.jobs.update(job.id, state="running")
        return project.jobs.get(job.id)

    monkeypatch.setattr(Project, "start_job", start)
    monkeypatch.setattr("tui.services.reading.mark_lost_jobs", lambda _project: ())
    return started


async def test_asking_again_keeps_the_old_answer_as_an_attempt(
    home: Home, folder: Path, started_jobs: list[GenerateOptions]
) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("R")
        await until(
            pilot, lambda: "1 asked again; job 1 running" in review_text(app) and "● asked again" in review_text(app)
        )
        assert started_jobs[0].asks == ((1, 1),)
        old = stored_examples(folder, home)[0]
        assert (old.state, old.decision and old.decision.reason) == ("rejected", "asked again")
        with Project.open(folder, home) as project:
            add_attempt(project, 1, 1, "RISK SCORE: 1. The new one. Call us.")
            project.jobs.update(1, state="done")
        await wait_for_toast(pilot, "1 new answer;")
        await until(pilot, lambda: "[ ] attempt 1 of 2" in review_text(app))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "The new one." in review_text(app) and "[ ] attempt 2 of 2" in review_text(app))
        await pilot.press("a")
        await until(pilot, lambda: stored_examples(folder, home)[-1].state == "accepted")
        assert stored_examples(folder, home)[0].state == "rejected"
        await pilot.press("u", "u")
        await until(pilot, lambda: stored_examples(folder, home)[0].state == "accepted")


async def test_real_job_asks_the_teacher_of_the_project_again(home: Home, folder: Path) -> None:
    with served(good("RISK SCORE: 2. ", "Another answer. Call us.")) as server:
        with Project.open(folder, home) as project:
            teacher = TeacherSpec("endpoint", "peer", server.url)
            project.settings.write(dataclasses.replace(project.settings.read(), teacher=teacher))
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_review(pilot, app)
            await pilot.press("j", "R")
            await until(pilot, lambda: len(stored_examples(folder, home)) == 21, seconds=60)
            await wait_for_toast(pilot, "1 new answer;")
            await until(pilot, lambda: "[ ] attempt 1 of 2" in review_text(app))
            await pilot.press("left_square_bracket")
            await until(pilot, lambda: "Another answer." in review_text(app))
        assert [request.question for request in server.requests] == ["Question 2 about cards, what should I do now?"]


@pytest.mark.parametrize("size", SIZES)
async def test_new_answers_appear_while_a_job_runs(home: Home, size: tuple[int, int]) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot, app)
        await until(pilot, lambda: "The teacher has not answered yet" in review_text(app))
        with Project.open(folder, home) as project:
            job = add_job(project, GenerateOptions(), "running", [StateChanged("running"), StageStarted("examples")])
            add_examples(project, 2, decided=False)
        await until(pilot, lambda: "2 ○" in review_text(app) and review_state(app).listed is not None)
        await pilot.press("j")
        with Project.open(folder, home) as project:
            add_examples(project, 5, decided=False)
        await until(pilot, lambda: "5 ○" in review_text(app))
        assert review_state(app).where.cursor == 1
        with Project.open(folder, home) as project:
            project.jobs.update(job.id, state="done")
        await until(pilot, lambda: not review_page(app).grows)


async def test_asking_again_for_many_needs_confirmation(
    home: Home, folder: Path, started_jobs: list[GenerateOptions]
) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("asterisk", "R")
        await wait_for_form(pilot)
        assert "Ask again for 20 answers?" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
        assert not started_jobs, "the default answer is no"
        await pilot.press("R")
        await wait_for_form(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: stored_states(folder, home) == "r" * 20)
        assert len(started_jobs[0].asks) == 20


async def test_answers_that_did_not_arrive_are_reported(
    home: Home, folder: Path, started_jobs: list[GenerateOptions]
) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("R")
        await until(pilot, lambda: bool(started_jobs) and "1 asked again" in review_text(app))
        with Project.open(folder, home) as project:
            project.jobs.update(1, state="failed")
        lost = "1 did not arrive: job 1 failed."
        await wait_for_toast(pilot, lost)


@pytest.mark.parametrize("size", SIZES)
async def test_deleted_attempt_is_reported_once_and_the_list_stays_usable(
    home: Home, folder: Path, size: tuple[int, int]
) -> None:
    with Project.open(folder, home) as project:
        add_attempt(project, 1, 1, "RISK SCORE: 1. The new one. Call us.")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        with Project.open(folder, home) as project:
            project.questions.take_out([1])
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: review_state(app).total == 19)
        assert "attempt" not in review_text(app)
        await pilot.press("x", "j")
        await until(
            pilot, lambda: stored_examples(folder, home)[0].state == "rejected" and review_state(app).where.cursor == 2
        )
        await wait_until_loaded(pilot, app)
        assert [note.title for note in app._notifications] == ["There is no example 36."]
