"""The run pane by its keys: starting and stopping a training, its curves, comparing runs, and how it looks."""

import dataclasses
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.jobs.control_file import read_command
from engine.jobs.log import EventLog
from engine.jobs.protocol import TRAINING, Event, Progress, SampleAnswer, StampedEvent, StateChanged, WorstTokens
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from engine.records.options import ExportOptions
from engine.records.run import KILLED, TrainingConfig, WorstToken
from engine.training.facts import FreeMemory
from tests.hostile import control_characters, hostile
from tests.tui.panes.helpers import notified
from tests.tui.panes.measured_projects import QUESTIONS, add_measured_run, make_compared
from tests.tui.piloting import (
    SIZES,
    facts_of,
    form_aside,
    go_to_pane,
    pane_of,
    text_of,
    until,
    wait_for_form,
    wait_for_toast,
    workspace,
)
from tests.tui.seeds import CURVE, add_dataset, add_examples, make_project, make_stage, write_log
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.panes.run.pane import RunPane
from tui.services.follower import JobEvents

pane = partial(pane_of, kind=RunPane)
text = partial(text_of, kind=RunPane)


async def open_pane(pilot: Pilot[int], app: DistillApp, expected: str) -> None:
    await go_to_pane(pilot, 5, RunPane, lambda: expected in text(app))
    has_runs = facts_of(app).run is not None
    await until(pilot, lambda: not has_runs or bool(pane(app).state.rows))


@pytest.mark.parametrize("size", SIZES)
async def test_training_is_started_with_keys(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)
    with make_project(home) as project:
        add_examples(project)
        add_dataset(project)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "train on the 26 rows")
        await pilot.press("t")
        await wait_for_form(pilot)
        assert "6 steps: 26 rows, 16 per step, 3 epochs" in form_aside(app)
        await pilot.press("down", "down", "8", "enter")
        await until(pilot, lambda: job_count(folder, home) == 1)
        with Project.open(folder, home) as project:
            run = project.runs.latest()
            assert run is not None
            assert (run.config.lora_rank, run.config.lora_alpha) == (8, 16)
            assert run.config.base == "starter"
            assert '"run_id": 1' in project.jobs.all()[0].options


async def test_form_warns_about_a_stale_dataset(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.decisions.decide([Decision(1, "reject", "person")])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "loss")
        await pilot.press("t")
        await wait_for_form(pilot)
        aside = form_aside(app)
        assert aside.startswith("The dataset is stale: other examples are accepted now.\n16 steps: 26 rows")


def job_count(folder: Path, home: Home) -> int:
    with Project.open(folder, home) as project:
        return len(project.jobs.all())


async def test_without_a_dataset_the_keys_say_what_is_missing(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "generate answers first")
        for key, words in (("t", "There is no dataset to train on."), ("b", "No training is running.")):
            await pilot.press(key)
            await wait_for_toast(pilot, words)
            assert not isinstance(app.screen, FormScreen)


async def test_training_is_paused_and_stopped_with_its_best_checkpoint(home: Home) -> None:
    folder = make_stage(home, "training")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "step 88 of 216")
        with Project.open(folder, home) as project:
            job = project.jobs.all()[0]
            project.jobs.update(job.id, stage="run")
        await pilot.press("p")
        await until(pilot, lambda: read_command(folder / job.folder) == "pause")
        await pilot.press("b")
        await wait_for_form(pilot)
        assert read_command(folder / job.folder) == "pause"
        await pilot.press("right", "enter")
        await until(pilot, lambda: read_command(folder / job.folder) == "keep")


async def test_validation_pass_is_named_beside_the_step(home: Home) -> None:
    folder = make_stage(home, "training")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "step 88 of 216 ")
        with EventLog(folder / "jobs" / "1") as log:
            log.append(Progress(88, 216, "validating", 201.0))
            await until(pilot, lambda: "step 88 of 216, validating " in text(app))
            log.append(Progress(88, 216, TRAINING, 201.0))
            await until(pilot, lambda: "step 88 of 216 " in text(app))


async def test_waiting_training_says_what_for(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "training"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "step 88 of 216 ")
        job = workspace(app).state.job
        assert job is not None
        waits = StampedEvent(0.0, StateChanged("waiting", "for job 4 to release the device"))
        workspace(app).post_message(JobEvents(job.job_id, [waits]))
        await until(pilot, lambda: "○ waiting   for job 4 to release the device" in text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_curves_are_explored_with_keys(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "watching 1 of 2")
        assert QUESTIONS[0] in text(app)
        await pilot.press("right_square_bracket")
        assert QUESTIONS[1] in text(app)
        await pilot.press("left_square_bracket", "left")
        assert "at step 216" in text(app)
        await pilot.press("left")
        assert "at step 211" in text(app)
        assert "(180) 0.130" in text(app)
        await pilot.press(*["left"] * 7)
        assert "at step 180" in text(app), "the cursor stops at evaluations"
        await pilot.press("d")
        assert "differs most  step 180" in text(app), "at the step of the cursor"
        await pilot.press("escape")
        assert "at step" not in text(app)
        assert "differs most  step 216" in text(app)
        await pilot.press("escape")
        assert "watching 1 of 2" in text(app)
        await pilot.press("l", "s")
        assert "validation KL, log" in text(app)
        assert "loss, smooth 0.6" in text(app)
        await pilot.press("v")
        await until(pilot, lambda: "╌╌ a  run 2" in text(app))
        await until(pilot, lambda: 2 in pane(app).state.traces)
        await pilot.press("v")
        await until(pilot, lambda: "╌╌ a  run 1" in text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_every_pass_rate_shows_its_number_of_answers(home: Home, size: tuple[int, int]) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), TrainingConfig(base="starter"))
        few = dataclasses.replace(CURVE[-1], all_rules_rate=1.0, rule_rates=((1, 1.0),), asked=2, asked_own=1)
        project.runs.add_curve_point(run_id, few)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "watching 1 of 2")
        table = re.compile(r"pass rate, of +16 answers +1 answer\n 1 .+ 0\u00a0% +100\u00a0%\n")
        assert re.search(r"answers pass +2 of 2 ", text(app))
        assert table.search(text(app)), "the rates per rule cover only the project's own questions"
        await pilot.press("left", "left")
        assert re.search(r"── +run 1.+\(180\) 15 of 16 ", text(app))
        await pilot.press("equals_sign")
        assert re.search(r"0\.120 +2 of 2 ", text(app))


async def test_cross_entropy_is_not_labelled_kl(home: Home) -> None:
    folder = make_compared(home)
    with Project.open(folder, home) as project:
        for run in project.runs.all():
            for point in run.curve:
                project.runs.add_curve_point(run.id, dataclasses.replace(point, measure="cross-entropy"))
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "watching")
        assert text(app).count("cross-entropy") >= 2, "in the heading of the page and of the chart"
        assert "validation KL" not in text(app)
        await pilot.press("equals_sign")
        assert "best loss" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_runs_are_compared_and_overlaid(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "watching")
        await pilot.press("equals_sign")
        shown = text(app)
        assert all(word in shown for word in ("rank", "rate", "best KL", "✓ pass", "✗ fail", "3 in all"))
        assert "epochs" not in shown, "only what differs has a column"
        await pilot.press("j")
        assert "Run 2 differs: rank 32 (run 3: 16)." in text(app)
        await pilot.press("enter", "G", "enter")
        assert "a run 2, b run 1" in text(app)
        await pilot.press("g", "enter")
        await pilot.press("escape")
        assert "╌╌ a  run 2" in text(app)
        assert "┄┄ b  run 1" in text(app)


async def test_deleting_a_run_needs_confirmation(home: Home) -> None:
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "watching")
        await pilot.press("D")
        await until(pilot, lambda: notified(app, "Press = to list them all"))
        await pilot.press("equals_sign", "j", "D")
        await wait_for_form(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, FormScreen))
        with Project.open(folder, home) as project:
            assert len(project.runs.all()) == 3
        await pilot.press("D")
        await wait_for_form(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: "2 in all" in text(app))
        assert notified(app, "Deleted run 2")
    with Project.open(folder, home) as project:
        assert [run.id for run in project.runs.all()] == [1, 3]


async def test_run_needed_by_a_job_is_not_deleted(home: Home) -> None:
    folder = make_compared(home)
    with Project.open(folder, home) as project:
        job = project.jobs.add(ExportOptions(2))
        project.jobs.update(job.id, state="stopped")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "watching")
        await pilot.press("equals_sign", "j", "D")
        await wait_for_form(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: notified(app, "needs it to resume"))
    with Project.open(folder, home) as project:
        assert len(project.runs.all()) == 3


async def test_failed_or_stopped_run_shows_its_reason_and_next_keys(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), TrainingConfig(base="starter"))
        project.runs.update(run_id, state="failed", reason="The machine ran out of memory.")
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "✗ The machine ran out of memory.")
        assert "r resumes it" in text(app)
        with Project.open(folder, home) as project:
            project.runs.update(run_id, state="stopped", step=100, best_step=72)
        await until(pilot, lambda: "■ stopped at step 100; r resumes it; 6 evaluates its best checkpoint" in text(app))
        with Project.open(folder, home) as project:
            project.runs.update(run_id, reason=KILLED)
        await until(pilot, lambda: "✗ killed at step 100; r resumes it" in text(app))


async def test_hostile_text_is_escaped_on_screen(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), TrainingConfig(base=hostile("base")))
        project.runs.update(run_id, state="failed", reason=hostile("reason"))
        token = WorstToken(1.0, 1, hostile("the"), hostile("one"), hostile("two"), hostile("six"))
        events: list[Event] = [SampleAnswer(1, hostile("why?"), hostile("so"), False), WorstTokens(1, (token,))]
        write_log(project, project.jobs.all()[0], events)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "‹U+202E›evil")
        await until(pilot, lambda: "watching 1 of 3" in text(app))
        await pilot.press("left_square_bracket")
        assert "why?" in text(app)
        await pilot.press("d")
        assert "differs most  step 1" in text(app)
        assert all(expected in text(app) for expected in ("[@click=app.quit]", "differs most"))
        assert not control_characters(text(app))
        await pilot.press("equals_sign")
        await pilot.pause()
        assert "[@click=app.quit]" in text(app)
        assert not control_characters(text(app))


SNAPSHOTS = [
    ("t", "form"),
    ("t left down down down down 3 up up up", "preset"),
    ("v s l right right right right right right right right", "overlay"),
    ("v equals_sign j", "compare"),
    ("d left left left left left left left left left left left left", "differing"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("keys", "view"), [pytest.param(*view, id=view[1]) for view in SNAPSHOTS])
@pytest.mark.usefixtures("fixed_meter")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    keys: str,
    view: str,
) -> None:
    monkeypatch.setattr("engine.store.runs.now_text", lambda: "2026-01-02T03:04:05+00:00")
    monkeypatch.setattr("engine.training.facts.free_memory", lambda _: FreeMemory(8_000.0))
    folder = make_compared(home)
    app = DistillApp(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        await open_pane(pilot, app, "watching 1 of 2")
        for key in keys.split():
            await pilot.press(key)
            if key == "t":
                await wait_for_form(pilot)
            await until(pilot, lambda: set(pane(app).state.overlays) <= pane(app).state.traces.keys())
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)
