"""Calibration, a few timed steps before a run: its rows, what it stores, and the estimates made from it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.jobs.context import JobContext
from engine.model.local_model import LocalModel
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.options import CalibrateOptions
from engine.records.question import Split
from engine.records.run import TrainingConfig
from engine.training import trainer
from engine.training.batches import Batch
from engine.training.calibration import run, shortened
from engine.training.facts import read_basis
from engine.training.outlook import estimate_training, outlook_text
from engine.training.student import ChunkLoss, add_gradients
from tests.engine.training.job_helpers import make_run, notes_of, run_job, train


def row(number: int, tokens: int, *, own: bool = True, split: Split = "train") -> DatasetRow:
    ids = tuple(range(tokens))
    return DatasetRow(number, number, split, (1, 2), ids, tokens if own else 0, (False,) * tokens)


def test_calibration_keeps_the_longest_rows_and_a_few_steps() -> None:
    rows = [row(number, number) for number in range(1, 41)] + [row(99, 50, split="validation")]
    dataset = Dataset("d", "p", "b", tuple(rows))
    config = TrainingConfig(base="b", batch_rows=8, epochs=9.0, on_policy_steps=70, on_policy_batch_rows=32)
    short, cut = shortened(config, dataset)
    assert sorted(len(one.completion_ids) for one in cut.split("train")) == list(range(9, 41))
    assert len(cut.split("validation")) == 1
    assert short.epochs * len(cut.split("train")) / short.batch_rows == 4
    assert (short.on_policy_steps, short.evaluations) == (2, 1)
    short, cut = shortened(replace(config, on_policy_steps=0), dataset)
    assert (len(cut.split("train")), short.epochs) == (8, 3.0)
    short, _ = shortened(replace(config, epochs=0.0), dataset)
    assert short.epochs == 0


def test_second_stage_is_calibrated_on_rows_that_it_could_ask() -> None:
    rows = [row(number, 100, own=False) for number in range(1, 41)] + [row(50, 5)]
    config = TrainingConfig(base="b", batch_rows=4, on_policy_steps=5, on_policy_batch_rows=4)
    _short, cut = shortened(config, Dataset("d", "p", "b", tuple(rows)))
    assert 50 in {one.example_id for one in cut.split("train")}


def calibrate(project: Project, config: TrainingConfig, dataset_sha256: str) -> JobContext:
    return run_job(project, CalibrateOptions(config, dataset_sha256), run=run)


def test_estimates_use_the_calibration_until_a_run_has_finished(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    config = replace(new_run.config, on_policy_steps=4, on_policy_batch_rows=4, on_policy_answer_tokens=5)
    assert estimate_training(config, read_basis(project)).seconds is None
    context = calibrate(project, config, new_run.dataset_sha256)
    assert not [path for path in context.folder.iterdir() if path.is_dir()], "only the figures are stored"
    assert len(project.runs.all()) == 1
    found = project.settings.calibration()
    assert found is not None
    assert found.config == config
    assert found.first_s is not None
    assert found.second_s is not None
    assert found.first_s > 0
    assert found.second_s > 0
    assert (found.device, found.dtype, found.after_run) == ("cpu", "float32", new_run.id)
    basis = read_basis(project)
    estimate = estimate_training(config, basis)
    assert estimate.memory_mb == found.memory_mb > 50
    assert estimate.seconds is not None
    text = outlook_text(config, basis)
    assert "measured on the longest rows on cpu float32" in text
    assert "measured on the longest rows, 3 per pass" in text
    assert set(text.splitlines()) <= set(notes_of(context))
    assert "part estimated" in outlook_text(replace(config, general_fraction=0.1), basis)
    elsewhere = estimate_training(replace(config, dtype="bfloat16"), basis)
    assert elsewhere.calibration is None

    run_id = project.runs.add(new_run.dataset_sha256, config).id
    trained = train(project, run_id)
    done = project.runs.get(run_id)
    assert done.estimate is not None
    assert done.estimate.seconds == pytest.approx(estimate.seconds)
    assert done.estimate.memory_mb == found.memory_mb
    assert any(note.startswith("Estimated time") for note in notes_of(trained))
    later = estimate_training(config, read_basis(project))
    assert (later.calibration, later.like) == (None, done)


def test_rows_per_pass_that_do_not_fit_are_halved_and_stored(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def fit_one_row(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        if len(batch.input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return add_gradients(student, batch, loss, divisor)

    monkeypatch.setattr(trainer, "add_gradients", fit_one_row)
    new_run = make_run(project, model_folder)
    context = calibrate(project, new_run.config, new_run.dataset_sha256)
    found = project.settings.calibration()
    assert found is not None
    assert (new_run.config.micro_batch_rows, found.config.micro_batch_rows) == (3, 1)
    assert any("holds 1 row per pass" in note for note in notes_of(context))
