"""A new number of epochs for a stopped run: completed steps stay bit for bit, the rest follows the new plan."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DistillError, JobStopped
from engine.jobs.context import StopFlag
from engine.project import Project
from engine.records.dataset import DatasetRow
from engine.records.options import TrainOptions
from engine.training.checkpoints import CHECKPOINTS, steps_in
from engine.training.replan import can_resume, replan
from engine.training.schedule import replanned_rate_at
from engine.training.trainer import Trainer
from tests.engine.training.job_helpers import at_step, make_run, raise_flag, train
from tests.engine.training.trainer_helpers import (
    CONFIG,
    Killed,
    Recorder,
    adapter_bytes,
    kill_after,
    make_trainer,
)


@pytest.mark.parametrize("epochs", [2.0, 5.0])
def test_replanned_run_ends_with_the_bytes_of_one_that_always_had_that_plan(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], epochs: float
) -> None:
    """Three epochs of four steps, changed at step 6."""
    replanned = replace(CONFIG, replanned=((6, epochs),))
    steps = round(4 * epochs)
    planned = Recorder()
    assert make_trainer(model_folder, tmp_path / "planned", rows, planned, replanned).run().state.step == steps

    uninterrupted, before = Recorder(), Recorder(kill_after(6))
    make_trainer(model_folder, tmp_path / "uninterrupted", rows, uninterrupted).run()
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "changed", rows, before).run()
    after = Recorder()
    ended = make_trainer(model_folder, tmp_path / "changed", rows, after, replanned).run()
    assert ended.state.config == replanned
    steps_made = [(step.step, step.loss, step.learning_rate) for step in (*before.steps, *after.steps)]
    assert steps_made == [(step.step, step.loss, step.learning_rate) for step in planned.steps]
    assert steps_made[:6] == [(step.step, step.loss, step.learning_rate) for step in uninterrupted.steps[:6]]
    assert adapter_bytes(tmp_path / "changed", steps) == adapter_bytes(tmp_path / "planned", steps)


def test_learning_rate_decays_from_its_current_value_to_the_new_end() -> None:
    plans = ((0, 20), (10, 30), (15, 16))
    rates = [replanned_rate_at(step, plans, 1.0, 0.1) for step in range(16)]
    original = [replanned_rate_at(step, plans[:1], 1.0, 0.1) for step in range(20)]
    longer = [replanned_rate_at(step, plans[:2], 1.0, 0.1) for step in range(30)]
    assert rates[:11] == original[:11]
    assert rates[11:] == longer[11:16]
    decreases = [first - second for first, second in zip(longer[10:], [*longer[11:], 0.0], strict=True)]
    assert decreases == pytest.approx([longer[10] / 20] * 20)


def test_new_plan_during_the_warm_up_finishes_it_first() -> None:
    rates = [replanned_rate_at(step, ((0, 100), (1, 50)), 1.0, 0.1) for step in range(50)]
    original = [replanned_rate_at(step, ((0, 100),), 1.0, 0.1) for step in range(2)]
    assert rates[:2] == original
    assert rates[:5] == sorted(rates[:5])
    assert rates[4] == 1.0, "the warm-up of 50 steps takes 5"
    decreases = [first - second for first, second in zip(rates[4:], [*rates[5:], 0.0], strict=True)]
    assert decreases == pytest.approx([1 / 46] * 46)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 200)), min_size=1, max_size=4), st.floats(0.0, 1.0))
@settings(max_examples=300, deadline=None)
def test_new_plans_change_no_earlier_step_and_reach_the_highest_rate(
    changes: list[tuple[int, int]], warmup_fraction: float
) -> None:
    """Each change is (steps after the one before, steps from there to the end)."""
    plans, since = [(0, changes[0][1])], 0
    for after, left in changes[1:]:
        since = min(since + after, plans[-1][1] - 1)
        plans.append((since, since + left))
    before: list[float] = []
    for count in range(1, len(plans) + 1):
        first, steps = plans[count - 1]
        rates = [replanned_rate_at(step, plans[:count], 1.0, warmup_fraction) for step in range(steps)]
        assert count == 1 or rates[: first + 1] == before[: first + 1]
        before = rates
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert min(rates) > 0
    assert len(rates) == plans[-1][0] + 1 or max(rates) == 1.0


def test_checkpoint_resumes_only_under_plans_that_change_later_steps() -> None:
    replanned = replace(CONFIG, replanned=((6, 5.0),))
    assert can_resume(CONFIG, CONFIG, 3)
    assert can_resume(CONFIG, replanned, 6)
    assert can_resume(CONFIG, replanned, 3), "an earlier checkpoint, if the newest is damaged"
    assert not can_resume(CONFIG, replanned, 7), "its last step followed the old plan"
    assert not can_resume(replanned, CONFIG, 6)
    assert not can_resume(replace(CONFIG, seed=9), replanned, 6)
    assert can_resume(CONFIG, replace(CONFIG, epochs=9.0), 0), "no step followed the old plan"
    assert not can_resume(CONFIG, replace(CONFIG, epochs=9.0), 1)
    assert not can_resume(CONFIG, replace(CONFIG, epochs=9.0, seed=9), 0)


def test_stopped_run_gets_other_epochs_and_its_config_records_both_plans(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    stop = StopFlag()
    with monkeypatch.context() as patched:
        at_step(4, raise_flag(stop), patched)
        with pytest.raises(JobStopped):
            train(project, new_run.id, stop)
    project.jobs.update(project.jobs.all()[0].id, state="stopped")  # as its worker would
    with pytest.raises(DistillError, match="already trained for"):
        replan(project, project.runs.get(new_run.id), 1.0)
    changed = replan(project, project.runs.get(new_run.id), 2.0)
    assert (changed.config.epochs, changed.config.replanned) == (4.0, ((4, 2.0),))
    train(project, new_run.id)
    project.jobs.update(project.jobs.all()[1].id, state="done")
    done = project.runs.get(new_run.id)
    assert (done.state, done.step, done.steps) == ("done", 6, 6)
    with pytest.raises(DistillError, match="past its first stage"):
        replan(project, done, 9.0)


def test_run_killed_with_only_its_initial_checkpoint_gets_other_epochs_and_resumes(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    real = Trainer._step

    def die_after_first_step(trainer: Trainer) -> None:
        if trainer.state.step:
            raise Killed
        real(trainer)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", die_after_first_step)
        with pytest.raises(Killed):
            train(project, new_run.id)
    project.jobs.update(project.jobs.all()[0].id, state="lost")
    assert steps_in(project.folder / new_run.folder / CHECKPOINTS) == (0,)
    changed = replan(project, project.runs.get(new_run.id), 2.0)
    assert changed.config == replace(new_run.config, epochs=2.0)
    train(project, new_run.id)
    done = project.runs.get(new_run.id)
    assert (done.state, done.step, done.steps) == ("done", 6, 6)


def test_run_that_has_not_started_gets_other_epochs(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    assert replan(project, new_run, 2.0).config == replace(new_run.config, epochs=2.0)


def test_run_with_an_active_job_cannot_get_other_epochs(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    project.jobs.add(TrainOptions(new_run.id))
    with pytest.raises(DistillError, match="a training is active"):
        replan(project, new_run, 2.0)
