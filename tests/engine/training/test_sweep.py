"""A sweep: its budgets, the comparison, and the job that trains its runs one after another."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import JobStopped, TrainingError, UsageError
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.protocol import Note
from engine.model.local_model import LocalModel
from engine.project import Project
from engine.records.options import SweepOptions, Trial
from engine.records.run import CurvePoint, Run, RunState, TrainingConfig
from engine.training import brief as brief_module
from engine.training.schedule import Schedule
from engine.training.student import with_new_adapter
from engine.training.sweep import Tried, sweep_json, sweep_text, winner, within
from engine.training.sweep_job import run
from tests.engine.training.job_helpers import (
    events_of,
    make_run,
    notes_of,
    raise_flag,
    run_job,
    steps_of,
    when_emitted,
)

CONFIG = TrainingConfig(base="tiny", epochs=4.0, batch_rows=8)


@given(
    rows=st.integers(1, 200),
    steps=st.integers(2, 60),
    epochs=st.sampled_from([0.0, 0.5, 1.0, 4.0]),
    on_policy=st.sampled_from([0, 1, 20, 100]),
)
@settings(max_examples=200, deadline=None)
def test_budget_shortens_only_longer_training_and_drops_no_stage(
    rows: int, steps: int, epochs: float, on_policy: int
) -> None:
    config = replace(CONFIG, epochs=epochs, on_policy_steps=on_policy)
    planned = planned_steps(config, rows)
    short = within(config, rows, steps)
    assert planned_steps(short, rows) == min(planned, steps)
    assert (short.epochs > 0, short.on_policy_steps > 0) == (epochs > 0, on_policy > 0)
    assert within(config, rows, max(2, planned)) == config


def test_two_stages_in_one_step_are_refused() -> None:
    assert planned_steps(within(CONFIG, 100, 1), 100) == 1
    with pytest.raises(UsageError, match="--steps 2"):
        within(replace(CONFIG, on_policy_steps=20), 100, 1)


def planned_steps(config: TrainingConfig, rows: int) -> int:
    return Schedule((1,) * rows, config.batch_rows, config.epochs, config.seed).steps + config.on_policy_steps


def tried(number: int, kl: float, rate: float, state: RunState = "done") -> Tried:
    point = CurvePoint(9, 1.0, 1.0, kl, (), rate, 0.0, 0.0, best=True)
    run = Run(number, "d", CONFIG, "done", "", step=9, steps=9, train_s=61.0, curve=(point,))
    return Tried(replace(run, state=state), f"--seed {number}")


def test_winner_is_chosen_like_the_best_step_of_a_run() -> None:
    runs = [tried(1, 0.3, 1.0), tried(2, 0.2, 15 / 16), tried(3, 0.1, 0.2), tried(4, 0.01, 1.0, "failed")]
    best = winner(runs)
    assert best is runs[1]
    text = sweep_text(runs, best)
    assert "▸   2  --seed 2" in text
    assert "15 of 16" in text
    assert text.endswith("distill-tui train --seed 2")
    assert "failed" in text
    assert sweep_json(runs, best)["best"] == {"id": 2, "command": "distill-tui train --seed 2"}
    assert winner(runs[3:]) is None
    assert "best KL " in text
    (point,) = runs[0].run.curve
    other = replace(runs[0], run=replace(runs[0].run, curve=(replace(point, measure="cross-entropy"),)))
    assert "best loss " in sweep_text([other, runs[1]], None)


def sweep(project: Project, options: SweepOptions, stop: StopFlag | None = None) -> JobContext:
    return run_job(project, options, stop, run)


def trials(project: Project, base: Path, *rates: float) -> tuple[Trial, ...]:
    first = make_run(project, base)
    configs = [replace(first.config, learning_rate=rate, epochs=1.0) for rate in rates]
    return tuple(
        Trial(project.runs.add(first.dataset_sha256, config).id, f"--learning-rate {config.learning_rate}")
        for config in configs
    )


def test_stopped_sweep_continues_without_repeating_finished_runs(
    project: Project,
    model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = StopFlag()
    options = SweepOptions(trials(project, model_folder, 1e-2, 1e-4))
    with monkeypatch.context() as patch:
        when_emitted(
            lambda event: isinstance(event, Note) and event.text.startswith("Run 3, 2 of 2"), raise_flag(stop), patch
        )
        with pytest.raises(JobStopped):
            sweep(project, options, stop)
    finished = project.runs.get(2)
    assert (finished.state, project.runs.get(3).state) == ("done", "stopped")
    context = sweep(project, options)
    assert project.runs.get(2) == finished, "a finished run stays unchanged"
    assert project.runs.get(3).state == "done"
    best = winner([Tried(project.runs.get(trial.run_id), trial.words) for trial in options.trials])
    assert best is not None
    assert events_of(context)[-1] == Note(best.command)
    assert [metrics.step for metrics in steps_of(context)] == [1, 2, 3]


def test_run_that_cannot_be_trained_is_left_out_of_the_sweep(project: Project, model_folder: Path) -> None:
    good, bad = trials(project, model_folder, 1e-2, 1e30)
    context = sweep(project, SweepOptions((bad, good)))
    assert (project.runs.get(bad.run_id).state, project.runs.get(good.run_id).state) == ("failed", "done")
    assert any(note.startswith(f"Run {bad.run_id} could not be trained") for note in notes_of(context))
    with pytest.raises(TrainingError, match="No run of the sweep"):
        sweep(project, SweepOptions((bad,)))


def test_run_that_does_not_fit_into_memory_is_left_out_of_the_sweep(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = trials(project, model_folder, 1e-2, 1e-3)
    real = with_new_adapter

    def fit_the_second(local: LocalModel, config: TrainingConfig, initial: Path | None) -> LocalModel:
        if config == project.runs.get(large.run_id).config:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(local, config, initial)

    monkeypatch.setattr(brief_module, "with_new_adapter", fit_the_second)
    context = sweep(project, SweepOptions((large, small)))
    assert (project.runs.get(large.run_id).state, project.runs.get(small.run_id).state) == ("failed", "done")
    said = f"Run {large.run_id} could not be trained: The adapter's weights do not fit the device's memory."
    assert any(note.startswith(said) for note in notes_of(context))


def test_time_limit_ends_each_run_as_done(project: Project, model_folder: Path) -> None:
    options = SweepOptions(trials(project, model_folder, 1e-2, 1e-3), minutes=1e-6)
    sweep(project, options)
    for trial in options.trials:
        done = project.runs.get(trial.run_id)
        assert (done.state, done.step) == ("done", 1)
        assert "as requested" in done.reason
