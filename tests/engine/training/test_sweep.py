"""A sweep: budgets, the comparison, and the job that trains run after run and never one twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import JobStopped, TrainingError
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.follow import read_all
from engine.jobs.protocol import Metrics, Note
from engine.project import Project
from engine.records.options import SweepOptions, Trial
from engine.records.run import CurvePoint, Run, TrainingConfig
from engine.training.schedule import Schedule
from engine.training.sweep import Tried, sweep_json, sweep_text, winner, within
from engine.training.sweep_job import run
from tests.engine.training.test_job import make_run

CONFIG = TrainingConfig(base="tiny", epochs=4.0, batch_rows=8)


@pytest.mark.parametrize("rows", [1, 7, 100, 146])
@pytest.mark.parametrize("steps", [1, 5, 13, 40])
def test_a_budget_is_kept_and_a_shorter_training_is_left_alone(rows: int, steps: int) -> None:
    for config in (CONFIG, replace(CONFIG, on_policy_steps=20), replace(CONFIG, epochs=0.0, on_policy_steps=20)):
        whole = steps_of(config, rows)
        assert steps_of(within(config, rows, steps), rows) == min(whole, steps)
        assert within(config, rows, whole) == config


def steps_of(config: TrainingConfig, rows: int) -> int:
    return Schedule((1,) * rows, config.batch_rows, config.epochs, config.seed).steps + config.on_policy_steps


def tried(number: int, kl: float, rate: float, state: str = "done") -> Tried:
    point = CurvePoint(9, 1.0, 1.0, kl, (), rate, 0.0, 0.0, best=True)
    made = Run(number, "d", CONFIG, "done", "", step=9, steps=9, train_s=61.0, curve=(point,))
    return Tried(replace(made, state=state), f"--seed {number}")


def test_the_winner_is_chosen_as_a_runs_best_step_is() -> None:
    found = [tried(1, 0.3, 1.0), tried(2, 0.2, 0.97), tried(3, 0.1, 0.2), tried(4, 0.01, 1.0, "failed")]
    won = winner(found)
    assert won is found[1]
    text = sweep_text(found, won)
    assert "▸   2  --seed 2" in text
    assert "97% of 16" in text
    assert text.endswith("distill-tui train --seed 2")
    assert "failed" in text
    assert sweep_json(found, won)["best"] == {"id": 2, "command": "distill-tui train --seed 2"}
    assert winner(found[3:]) is None
    assert "best KL " in text
    (point,) = found[0].run.curve
    other = replace(found[0], run=replace(found[0].run, curve=(replace(point, measure="cross-entropy"),)))
    assert "best loss " in sweep_text([other, found[1]], None)


def carry_out(project: Project, options: SweepOptions, stop: StopFlag | None = None) -> list[object]:
    context = JobContext(project, project.jobs.add(options), stop)
    try:
        run(context, options)
    finally:
        context.close()
    return [stamped.event for stamped in read_all(context.folder)]


def trials(project: Project, base: Path, *rates: float) -> tuple[Trial, ...]:
    first = make_run(project, base)
    configs = [replace(first.config, learning_rate=rate, epochs=1.0) for rate in rates]
    return tuple(
        Trial(project.runs.add(first.dataset_sha256, config).id, f"--learning-rate {config.learning_rate}")
        for config in configs
    )


def test_runs_are_trained_one_after_another_and_none_twice(
    project: Project,
    model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = StopFlag()
    emit = JobContext.emit

    def stopping(self: JobContext, event: object) -> None:
        emit(self, event)
        if isinstance(event, Note) and event.text.startswith("Run 3, 2 of 2"):
            stop.up = True

    monkeypatch.setattr(JobContext, "emit", stopping)
    options = SweepOptions(trials(project, model_folder, 1e-2, 1e-4))
    with pytest.raises(JobStopped):
        carry_out(project, options, stop)
    before = project.runs.get(2)
    assert (before.state, project.runs.get(3).state) == ("done", "stopped")
    monkeypatch.setattr(JobContext, "emit", emit)
    events = carry_out(project, options)
    assert project.runs.get(2) == before, "a finished run stays as it is"
    assert project.runs.get(3).state == "done"
    won = winner([Tried(project.runs.get(trial.run_id), trial.words) for trial in options.trials])
    assert won is not None
    assert events[-1] == Note(won.command)
    assert [event.step for event in events if isinstance(event, Metrics) and "loss" in event.values] == [1, 2, 3]


def test_a_run_that_cannot_be_trained_is_left_out_and_the_others_go_on(project: Project, model_folder: Path) -> None:
    good, bad = trials(project, model_folder, 1e-2, 1e30)
    events = carry_out(project, SweepOptions((bad, good)))
    assert (project.runs.get(bad.run_id).state, project.runs.get(good.run_id).state) == ("failed", "done")
    assert any(
        isinstance(event, Note) and event.text.startswith(f"Run {bad.run_id} could not be trained") for event in events
    )
    with pytest.raises(TrainingError, match="No run of the sweep"):
        carry_out(project, SweepOptions((bad,)))


def test_minutes_end_each_run_well(project: Project, model_folder: Path) -> None:
    options = SweepOptions(trials(project, model_folder, 1e-2, 1e-3), minutes=1e-6)
    carry_out(project, options)
    for trial in options.trials:
        done = project.runs.get(trial.run_id)
        assert (done.state, done.step) == ("done", 1)
        assert "as requested" in done.reason
