"""Other epochs for a run that was stopped: what is behind stays, bit for bit, and its record decides what follows."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import DistillError, JobStopped
from engine.jobs.context import StopFlag
from engine.project import Project
from engine.records.dataset import DatasetRow
from engine.records.options import TrainOptions
from engine.training.checkpoints import CHECKPOINTS, steps_in
from engine.training.replan import goes_on, replan
from engine.training.schedule import replanned_rate_at
from engine.training.trainer import Trainer
from tests.engine.training.runs import CONFIG, Killed, MakeRow, Recorder, make_trainer
from tests.engine.training.test_job import carry_out, make_run, wish_at_step


@pytest.fixture
def rows(make_row: MakeRow) -> list[DatasetRow]:
    train = [make_row(number, f"question {number}?", "ABC" * (1 + number % 3)) for number in range(1, 17)]
    return [*train, *(make_row(number, f"other {number}?", "ABC", split="validation") for number in range(17, 20))]


@pytest.mark.parametrize("epochs", [2.0, 5.0])
def test_changed_in_the_middle_it_ends_with_the_bytes_of_one_that_was_planned_so(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], epochs: float
) -> None:
    """3 epochs of 4 steps, changed at step 6."""
    other = replace(CONFIG, replanned=((6, epochs),))
    steps = round(4 * epochs)
    planned = Recorder()
    assert make_trainer(model_folder, tmp_path / "planned", rows, planned, other).run().state.step == steps

    def kill(finished: int) -> None:
        if finished >= 6:
            raise Killed

    quiet, before = Recorder(), Recorder(kill)
    make_trainer(model_folder, tmp_path / "quiet", rows, quiet).run()
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "changed", rows, before).run()
    after = Recorder()
    ended = make_trainer(model_folder, tmp_path / "changed", rows, after, other).run()
    assert ended.state.config == other
    made = [(step.step, step.loss, step.learning_rate) for step in (*before.steps, *after.steps)]
    assert made == [(step.step, step.loss, step.learning_rate) for step in planned.steps]
    assert made[:6] == [(step.step, step.loss, step.learning_rate) for step in quiet.steps[:6]]
    last = f"checkpoints/step-{steps}/adapter/adapter_model.safetensors"
    assert (tmp_path / "changed" / last).read_bytes() == (tmp_path / "planned" / last).read_bytes()


def test_the_rate_goes_on_from_where_it_stood_and_falls_to_the_new_end() -> None:
    plans = ((0, 20), (10, 30), (15, 16))
    rates = [replanned_rate_at(step, plans, 1.0, 0.1) for step in range(16)]
    alone = [replanned_rate_at(step, plans[:1], 1.0, 0.1) for step in range(20)]
    longer = [replanned_rate_at(step, plans[:2], 1.0, 0.1) for step in range(30)]
    assert rates[:11] == alone[:11]
    assert rates[11:] == longer[11:16]
    falls = [first - second for first, second in zip(longer[10:], [*longer[11:], 0.0], strict=True)]
    assert falls == pytest.approx([longer[10] / 20] * 20)


def test_a_checkpoint_goes_on_under_later_plans_alone() -> None:
    other = replace(CONFIG, replanned=((6, 5.0),))
    assert goes_on(CONFIG, CONFIG, 3)
    assert goes_on(CONFIG, other, 6)
    assert goes_on(CONFIG, other, 3), "an earlier checkpoint, where the newest is damaged"
    assert not goes_on(CONFIG, other, 7), "its last step was made under the old plan"
    assert not goes_on(other, CONFIG, 6)
    assert not goes_on(replace(CONFIG, seed=9), other, 6)
    assert goes_on(CONFIG, replace(CONFIG, epochs=9.0), 0), "no step was made under the old plan"
    assert not goes_on(CONFIG, replace(CONFIG, epochs=9.0), 1)
    assert not goes_on(CONFIG, replace(CONFIG, epochs=9.0, seed=9), 0)


def test_a_stopped_run_is_planned_anew_and_its_record_says_so(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    stop = StopFlag()

    def up(_context: object) -> None:
        stop.up = True

    with monkeypatch.context() as patched:
        wish_at_step(4, up, patched)
        with pytest.raises(JobStopped):
            carry_out(project, made.id, stop)
    project.jobs.update(project.jobs.all()[0].id, state="stopped")  # as its worker would
    with pytest.raises(DistillError, match="already trained for"):
        replan(project, project.runs.get(made.id), 1.0)
    changed = replan(project, project.runs.get(made.id), 2.0)
    assert (changed.config.epochs, changed.config.replanned) == (4.0, ((4, 2.0),))
    carry_out(project, made.id)
    project.jobs.update(project.jobs.all()[1].id, state="done")
    done = project.runs.get(made.id)
    assert (done.state, done.step, done.steps) == ("done", 6, 6)
    with pytest.raises(DistillError, match="past its first stage"):
        replan(project, done, 9.0)


def test_a_run_that_was_killed_in_its_first_steps_is_planned_anew_and_goes_on(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    real = Trainer._step

    def step(trainer: Trainer) -> None:
        if trainer.state.step:
            raise Killed
        real(trainer)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", step)
        with pytest.raises(Killed):
            carry_out(project, made.id)
    project.jobs.update(project.jobs.all()[0].id, state="lost")
    assert steps_in(project.folder / made.folder / CHECKPOINTS) == (0,)
    changed = replan(project, project.runs.get(made.id), 2.0)
    assert changed.config == replace(made.config, epochs=2.0)
    carry_out(project, made.id)
    done = project.runs.get(made.id)
    assert (done.state, done.step, done.steps) == ("done", 6, 6)


def test_a_run_that_has_not_begun_just_gets_other_epochs(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder)
    assert replan(project, made, 2.0).config == replace(made.config, epochs=2.0)


def test_a_run_that_trains_is_not_planned_anew(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder)
    project.jobs.add(TrainOptions(made.id))
    with pytest.raises(DistillError, match="a training is active"):
        replan(project, made, 2.0)
