"""The best step of a run is kept, and a run that finds nothing better ends early."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engine.records.dataset import DatasetRow
from engine.training.best import best_point
from engine.training.checkpoints import steps_in
from engine.training.trainer import Trained
from engine.training.validation import Measurement
from tests.engine.training.trainer_helpers import CONFIG, Killed, Recorder, kill_after, make_trainer


@pytest.mark.parametrize("checkpoint_every_s", [0.0, 1e9])
def test_checkpoint_that_may_become_best_again_is_kept(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_every_s: float,
) -> None:
    """A later point beats the first within the tolerance, then drops out of it: the first is the best again."""
    measured = [(9.0, 0.0), (1.0, 0.54), (0.8, 0.5), (0.9, 0.5), (0.95, 0.5), (1.2, 0.56), (1.3, 0.56)]
    scripted = [Measurement(kl, all_rules_rate=rate, asked=100) for kl, rate in measured]
    hooks = Recorder()
    config = replace(CONFIG, epochs=6.0, evaluations=6, checkpoint_every_s=checkpoint_every_s)
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)
    monkeypatch.setattr(trainer.validator, "measure", lambda *_args, **_kwargs: scripted.pop(0))
    trained = trainer.run()
    points = trained.state.points
    assert not scripted
    assert best_point(points).step == points[1].step, "the best of all points"
    assert [point.step for point in points if point.best] == [trained.state.best_step] == [points[1].step]
    last = 20 if checkpoint_every_s else 23
    assert sorted(steps_in(tmp_path / "checkpoints")) == sorted({points[1].step, points[5].step, last, 24})
    last_reported = {point.step: point.best for point, _ in hooks.points}
    assert last_reported == {point.step: point.best for point in points}
    assert trained.best_checkpoint.name == f"step-{trained.state.best_step}"
    assert not hooks.notes


def test_run_ended_on_request_is_evaluated_once_more_and_keeps_its_best(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    # An untrained adapter is worth nothing, so at least one step is made.
    trained = make_trainer(model_folder, tmp_path / "first", rows, Recorder(wants_end=lambda: True)).run()
    assert [point.step for point in trained.state.points] == [0, 1]
    hooks = Recorder(wants_end=lambda: len(hooks.steps) == 4)
    trained = make_trainer(model_folder, tmp_path / "later", rows, hooks).run()
    assert [point.step for point in trained.state.points] == [0, 4]
    assert trained.state.best_step == 4
    assert (trained.best_checkpoint / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("killed_after", [None, 9, 14])
@pytest.mark.parametrize(
    ("patience", "kls", "last", "best"),
    [
        (2, [9.0, 3.0, 2.0, 2.5, 2.6, 1.0, 1.0], 16, 8),
        (2, [9.0, 3.0, 2.0, 2.5, 1.9, 2.5, 1.0], 24, 24),
        (0, [9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 24, 4),
        (6, [9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 24, 4),
    ],
)
def test_run_ends_when_patience_runs_out_killed_or_not(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    patience: int,
    kls: list[float],
    last: int,
    best: int,
    killed_after: int | None,
) -> None:
    config = replace(CONFIG, epochs=6.0, evaluations=6, patience=patience)
    kl_at_step = {4 * evaluation: kl for evaluation, kl in enumerate(kls)}

    def run(hooks: Recorder) -> Trained:
        trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)

        def measure(*_args: object, **_kwargs: object) -> Measurement:
            return Measurement(kl_at_step[trainer.state.step])

        monkeypatch.setattr(trainer.validator, "measure", measure)
        return trainer.run()

    with suppress(Killed):
        run(Recorder(kill_after(killed_after)))
    trained = run(Recorder())
    assert (trained.state.step, trained.state.best_step) == (last, best)
    assert trained.ended_early == ("2 evaluations in a row found nothing better" if last < 24 else "")
    assert len(trained.state.points) == last // 4 + 1, "no point is measured twice"


def test_patience_counts_only_evaluations_of_the_current_stage(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, epochs=1.0, evaluations=4, patience=2, on_policy_steps=4, on_policy_batch_rows=4)
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config)
    rising_kl = iter(range(1, 20))
    monkeypatch.setattr(trainer.validator, "measure", lambda *_args, **_kwargs: Measurement(float(next(rising_kl))))
    assert trainer.run().state.step == 6
