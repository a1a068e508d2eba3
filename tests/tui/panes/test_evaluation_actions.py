"""What the evaluation pane starts: an evaluation, a report, and training questions like those that failed."""

import dataclasses
from itertools import zip_longest
from pathlib import Path

import pytest

from engine.jobs.control_file import write_command
from engine.jobs.protocol import Progress, StampedEvent, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.options import EvaluateOptions, SynthesizeOptions
from engine.store.jobs import options_of_job
from tests.tui.panes.evaluation_helpers import last_job, open_pane, pane, text
from tests.tui.panes.helpers import messages, notified
from tests.tui.panes.measured_projects import arm_answer as measured_answer
from tests.tui.panes.measured_projects import make_compared, make_evaluating
from tests.tui.piloting import (
    SIZES,
    facts_of,
    form_aside,
    text_of,
    until,
    wait_for_form,
    wait_for_text,
    wait_for_toast,
    workspace,
)
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.questions.pane import QuestionsPane
from tui.services.follower import JobEvents


@pytest.mark.parametrize("without_probes", [False, True], ids=["with-probes", "alone"])
@pytest.mark.parametrize("size", SIZES)
async def test_evaluation_is_started_with_keys(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], without_probes: bool
) -> None:
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "every rule")
        await pilot.press("e")
        await wait_for_form(pilot)
        assert "3 arms × 8 test questions × 3" in form_aside(app)
        assert "and 148 to check what else changed" in form_aside(app)
        await pilot.press("right", "down", "down", "backspace", "1", "down", "down", "down", "down", "right")
        await until(pilot, lambda: "what else changed" not in form_aside(app))
        await pilot.press("left")
        await until(pilot, lambda: "148 to check what else changed" in form_aside(app))
        await pilot.press(*(("right",) if without_probes else ()), "enter")
        await until(pilot, lambda: last_job(folder, home).kind == "evaluate")
        assert options_of_job(last_job(folder, home)) == EvaluateOptions(
            run_id=2, samples=1, regressions=not without_probes
        )


async def test_pane_leads_to_the_run_while_the_first_one_trains(home: Home) -> None:
    folder = make_stage(home, "training")
    with Project.open(folder, home) as project:
        project.runs.update(1, best_step=0)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "watch the training")
        assert "train a run first" not in text(app)
        assert "then evaluate it" in text(app)


async def test_without_a_run_the_keys_say_what_is_missing(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "generate answers first")
        for key, words in (
            ("e", "There is no trained run yet. Go to Run (5) to train one."),
            ("equals_sign", "There is no evaluation yet."),
        ):
            await pilot.press(key)
            await wait_for_toast(pilot, words)
            assert messages(app) == [words]
        app.clear_notifications()
        await pilot.press("enter")
        await pilot.pause()
        assert messages(app) == []


async def test_running_evaluation_counts_answers_per_arm(home: Home) -> None:
    app = DistillApp(home, make_evaluating(home))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "distilled 4 of 4")
        assert "unprompted 0 of 8    prompted 7 of 8" in text(app)
        assert "● now: distilled answers" in text(app)
        await pilot.press("enter")
        assert "measuring" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_running_evaluation_names_its_phase_and_state(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_evaluating(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "distilled 4")
        job = workspace(app).state.job
        assert job is not None
        for note in ("distilled answers (general probes)", "divergence from the base", "verdicts of the judge"):
            workspace(app).post_message(JobEvents(job.job_id, [StampedEvent(0.0, Progress(30, 44, note))]))
            await wait_for_text(pilot, text, f"● now: {note}")
        for change, expected in (
            (StateChanged("paused"), "‖ paused   r resumes it"),
            (StateChanged("waiting", "for the judge"), "○ waiting   for the judge"),
        ):
            workspace(app).post_message(JobEvents(job.job_id, [StampedEvent(0.0, change)]))
            await wait_for_text(pilot, text, expected)
            assert "now:" not in text(app)
        newest_job = facts_of(app).newest_job
        assert newest_job is not None
        write_command(Path(facts_of(app).folder) / newest_job.folder, "stop")  # as another terminal would
        await until(pilot, lambda: "■ stopping   at its next safe point" in text(app))
        assert " left" not in text(app)


async def test_report_of_the_shown_run_is_written_and_its_path_reported(home: Home) -> None:
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "✓ pass")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press("equals_sign", "down", "enter")
        await until(pilot, lambda: "✗ fail" in text(app))
        await pilot.press("h")
        file = folder / "report.html"
        await until(pilot, lambda: notified(app, str(file)), seconds=60)
        file.write_text("an older one", encoding="utf-8")
        await pilot.press("h")
        await until(pilot, lambda: file.read_text(encoding="utf-8") != "an older one", seconds=60)
    page = file.read_text(encoding="utf-8")
    assert "meridian-desk" in page
    assert "Run 1: the student without the prompt, compared with the prompted model" in page
    with Project.open(folder, home) as project:
        project.delete()
    assert not folder.exists(), "the report goes with the project"


async def test_report_needs_an_evaluation(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "generate answers first")
        await pilot.press("h")
        await until(pilot, lambda: set(messages(app)) == {"There is no evaluation yet."})


@pytest.mark.parametrize("size", SIZES)
async def test_similar_training_questions_are_requested_for_failed_validation_ones(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "every rule")
        await pilot.press("i")
        await until(pilot, lambda: notified(app, "e to start one"))
        with Project.open(folder, home) as project:
            failed = add_failed_validation(project)
        await until(pilot, lambda: "i writes training questions like them" in text(app))
        await pilot.press("i")
        await wait_for_form(pilot)
        await until(pilot, lambda: "2 requests for up to 10 questions." in form_aside(app))
        await pilot.press("backspace", "1", "down", "backspace", "3", "enter")
        await until(pilot, lambda: last_job(folder, home).kind == "synthesize")
        await until(
            pilot, lambda: "questions" in text_of(app, kind=QuestionsPane).lower()
        )  # the app goes to the pane of the new job
    assert options_of_job(last_job(folder, home)) == SynthesizeOptions(per_topic=3, like=failed[:1])
    with Project.open(folder, home) as project:
        assert project.questions.get(failed[0]).split == "validation"


async def test_nothing_is_requested_if_no_validation_question_failed(home: Home) -> None:
    folder = make_compared(home)
    with Project.open(folder, home) as project:
        add_failed_validation(project, broken=((), ()))
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "every rule")
        await pilot.press("i")
        await until(pilot, lambda: notified(app, "nothing to improve"))


def add_failed_validation(project: Project, broken: tuple[tuple[int, ...], ...] = ((2,), (2, 3))) -> tuple[int, ...]:
    """Add an evaluation whose first validation questions fail the rules in `broken`; the failed ids, worst first."""
    latest = project.evaluations.all()[-1]
    question_ids = [each.id for each in project.questions.all(split="validation")]
    answers = [
        measured_answer(project, name, number, 0, (rules or ()) if name == "distilled" else ())
        for number, rules in zip_longest(question_ids, broken)
        for name in ("unprompted", "prompted", "distilled")
    ]
    project.evaluations.add_answers(latest.run_id, "validation", answers)
    project.evaluations.add(
        dataclasses.replace(
            latest, id=0, created_at="", split="validation", answers_key="validation", questions=len(question_ids)
        )
    )
    return tuple(sorted(question_ids[: len(broken)], key=lambda number: -len(broken[question_ids.index(number)])))
