"""A step with a bad loss or gradient is skipped; three in a row end the run at its last good checkpoint."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import TrainingError
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.training import student as student_module
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.checkpoints import steps_in
from engine.training.student import ChunkLoss
from tests.engine.training.trainer_helpers import (
    CONFIG,
    ON_POLICY_ONLY,
    Killed,
    Recorder,
    adapter_bytes,
    kill_after,
    make_trainer,
)


def spoil_passes(passes: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the loss of these passes (from 1) not a number, gradients included."""
    real = student_module.add_gradients
    count = 0

    def add_gradients(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        nonlocal count
        count += 1
        if count in passes:
            return real(student, batch, lambda logits, here: loss(logits, here) * torch.nan, divisor)
        return real(student, batch, loss, divisor)

    monkeypatch.setattr(trainer_module, "add_gradients", add_gradients)


def after_optimizer_step(action: Callable[[torch.optim.Optimizer], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `action` at the end of every optimizer step, before the step is reported."""
    real = torch.optim.AdamW.step

    def step(optimizer: torch.optim.AdamW, *args: object) -> object:
        result = real(optimizer, *args)
        action(optimizer)
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", step)


def test_two_bad_steps_in_a_row_are_skipped_and_counted(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    spoil_passes({2, 3, 6, 7}, monkeypatch)
    trained = make_trainer(model_folder, tmp_path, rows, hooks).run()
    assert trained.state.skipped == 4
    assert trained.state.skipped_in_row == 0
    assert [metrics.step for metrics in hooks.steps] == [1, 4, 5, 8, 9, 10, 11, 12]
    assert all(torch.isfinite(torch.tensor(metrics.loss)) for metrics in hooks.steps)


def test_three_bad_steps_in_a_row_end_the_run_at_its_last_good_step(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    spoil_passes({7, 8, 9}, monkeypatch)
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, replace(CONFIG, checkpoint_every_s=1e9))
    with pytest.raises(TrainingError, match=r"3 bad steps in a row.*is not finite") as error:
        trainer.run()
    assert "Steps 7 to 9 of 12" in error.value.message
    assert trainer.state.step == 6
    assert trainer.state.skipped == 3
    assert all(torch.isfinite(parameter).all() for parameter in trainer.parameters)


@pytest.mark.parametrize("checkpoint_every_s", [0.0, 1e9])
def test_finite_but_exploding_loss_ends_the_run_at_its_last_good_checkpoint(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_every_s: float,
) -> None:
    hooks = Recorder()
    config = replace(
        CONFIG, objective="cross_entropy", epochs=8.0, evaluations=8, checkpoint_every_s=checkpoint_every_s
    )
    every_step = replace(config, checkpoint_every_s=0.0)
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "good", rows, Recorder(kill_after(25)), every_step).run()

    def blow_up(optimizer: torch.optim.Optimizer) -> None:
        """Spoil the weights from step 26 on, as too long a step does; every loss stays finite."""
        if len(hooks.steps) + 1 >= 26:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.data.mul_(8.0).add_(1.0)

    after_optimizer_step(blow_up, monkeypatch)
    trainer = make_trainer(model_folder, tmp_path / "bad", rows, hooks, config)
    with pytest.raises(TrainingError, match=r"3 bad steps in a row.*loss rose from [\d.]+ to [\d.]+ nats") as error:
        trainer.run()
    assert all(torch.isfinite(torch.tensor(metrics.loss)) for metrics in hooks.steps)
    last_good = 25 if checkpoint_every_s == 0 else 24
    assert f"back at the checkpoint of step {last_good}" in str(error.value)
    assert trainer.state.step == last_good
    checkpoints = steps_in(tmp_path / "bad" / "checkpoints")
    assert max(checkpoints) == last_good, "no checkpoint holds spoiled weights"
    assert trainer.state.best_step in checkpoints
    assert adapter_bytes(tmp_path / "bad", last_good) == adapter_bytes(tmp_path / "good", last_good)
    last_reported = {point.step: point for point, _measured in hooks.points}
    assert [step for step, point in last_reported.items() if point.best] == [trainer.state.best_step]


def test_validation_that_is_not_finite_ends_the_run_at_the_step_before_it(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, replace(CONFIG, epochs=2.0))

    def spoil_step_8(_optimizer: torch.optim.Optimizer) -> None:
        if len(hooks.steps) == 7:
            trainer.parameters[0].data.fill_(torch.inf)

    after_optimizer_step(spoil_step_8, monkeypatch)
    with pytest.raises(TrainingError, match=r"not a finite number.*back at the checkpoint of step 7"):
        trainer.run()
    assert all(torch.isfinite(parameter).all() for parameter in trainer.parameters)
    assert max(steps_in(tmp_path / "checkpoints")) == trainer.state.step == 7
    assert trainer.state.best_step == 4


def test_bad_step_of_the_second_stage_is_skipped(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    spoil_passes({3}, monkeypatch)  # two micro-batches per step
    trained = make_trainer(model_folder, tmp_path, rows, hooks, ON_POLICY_ONLY).run()
    assert trained.state.skipped == 1
    assert [metrics.step for metrics in hooks.steps] == [1, 3, 4, 5]


def test_student_that_cannot_sample_returns_to_its_last_good_weights(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()

    def spoil_step_3(_optimizer: torch.optim.Optimizer) -> None:
        if len(hooks.steps) == 2:
            trainer.parameters[0].data.fill_(torch.nan)

    after_optimizer_step(spoil_step_3, monkeypatch)
    config = replace(ON_POLICY_ONLY, on_policy_steps=9, evaluations=1, checkpoint_every_s=0.0)
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)
    with pytest.raises(TrainingError, match=r"3 bad steps in a row.*no valid probabilities.*step 2\."):
        trainer.run()
    assert trainer.state.step == 2
    assert trainer.state.skipped == 3
    assert all(torch.isfinite(parameter).all() for parameter in trainer.parameters)
