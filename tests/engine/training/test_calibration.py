"""A few steps before a run: which rows they are made of, what is kept of them, and what is told from it."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs.context import JobContext
from engine.jobs.protocol import Note
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.options import CalibrateOptions, TrainOptions
from engine.records.run import TrainingConfig
from engine.training import job
from engine.training.calibration import run, shortened
from engine.training.facts import read_basis
from engine.training.outlook import estimate_training, outlook_text
from tests.engine.training.test_job import events_of, make_run


def row(number: int, tokens: int, *, own: bool = True, split: str = "train") -> DatasetRow:
    ids = tuple(range(tokens))
    return DatasetRow(number, number, split, (1, 2), ids, tokens if own else 0, (False,) * tokens)


def test_every_longest_row_is_read_and_little_else_is_done() -> None:
    rows = [row(number, number) for number in range(1, 41)] + [row(99, 50, split="validation")]
    dataset = Dataset("d", "p", "b", tuple(rows))
    config = TrainingConfig(base="b", batch_rows=8, epochs=9.0, on_policy_steps=70, on_policy_batch_rows=32)
    few, cut = shortened(config, dataset)
    assert sorted(len(one.completion_ids) for one in cut.split("train")) == list(range(9, 41))
    assert len(cut.split("validation")) == 1
    assert few.epochs * len(cut.split("train")) / few.batch_rows == 4
    assert (few.on_policy_steps, few.evaluations) == (2, 1)
    plain, cut = shortened(replace(config, on_policy_steps=0), dataset)
    assert (len(cut.split("train")), plain.epochs) == (8, 3.0)
    alone, _ = shortened(replace(config, epochs=0.0), dataset)
    assert alone.epochs == 0


def test_a_second_stage_is_measured_on_rows_that_it_would_ask() -> None:
    rows = [row(number, 100, own=False) for number in range(1, 41)] + [row(50, 5)]
    config = TrainingConfig(base="b", batch_rows=4, on_policy_steps=5, on_policy_batch_rows=4)
    _few, cut = shortened(config, Dataset("d", "p", "b", tuple(rows)))
    assert 50 in {one.example_id for one in cut.split("train")}


def calibrate(project: Project, config: TrainingConfig, dataset_sha256: str) -> JobContext:
    options = CalibrateOptions(config, dataset_sha256)
    context = JobContext(project, project.jobs.add(options))
    run(context, options)
    context.close()
    return context


def test_time_and_memory_are_told_from_what_was_measured_until_a_run_knows_better(
    project: Project, model_folder: Path
) -> None:
    made = make_run(project, model_folder)
    config = replace(made.config, on_policy_steps=4, on_policy_batch_rows=4, on_policy_answer_tokens=5)
    assert estimate_training(config, read_basis(project)).seconds is None
    context = calibrate(project, config, made.dataset_sha256)
    assert not [path for path in context.folder.iterdir() if path.is_dir()], "only the figures are kept"
    assert len(project.runs.all()) == 1
    found = project.settings.calibration()
    assert found is not None
    assert found.config == config
    assert found.first_s is not None
    assert found.second_s is not None
    assert found.first_s > 0
    assert found.second_s > 0
    assert (found.device, found.dtype, found.after_run) == ("cpu", "float32", made.id)
    basis = read_basis(project)
    estimate = estimate_training(config, basis)
    assert estimate.memory_mb == found.memory_mb > 50
    assert estimate.seconds is not None
    text = outlook_text(config, basis)
    assert "measured on the longest rows on cpu float32" in text
    assert "measured on the longest rows, 3 per pass" in text
    notes = [event.text for event in events_of(context) if isinstance(event, Note)]
    assert set(text.splitlines()) <= set(notes)
    assert "part estimated" in outlook_text(replace(config, general_fraction=0.1), basis)
    elsewhere = estimate_training(replace(config, dtype="bfloat16"), basis)
    assert elsewhere.calibration is None

    options = TrainOptions(project.runs.add(made.dataset_sha256, config).id)
    trained = JobContext(project, project.jobs.add(options))
    job.run(trained, options)
    trained.close()
    done = project.runs.get(options.run_id)
    assert done.estimate is not None
    assert done.estimate.seconds == pytest.approx(estimate.seconds)
    assert done.estimate.memory_mb == found.memory_mb
    assert any(isinstance(event, Note) and event.text.startswith("Estimated time") for event in events_of(trained))
    later = estimate_training(config, read_basis(project))
    assert (later.calibration, later.like) == (None, done)


def test_rows_that_do_not_fit_are_halved_and_that_is_kept(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from engine.training import trainer

    real = trainer.add_gradients

    def cramped(*arguments: object) -> float:
        if len(arguments[1].input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*arguments)

    monkeypatch.setattr(trainer, "add_gradients", cramped)
    made = make_run(project, model_folder)
    context = calibrate(project, made.config, made.dataset_sha256)
    found = project.settings.calibration()
    assert found is not None
    assert (made.config.micro_batch_rows, found.config.micro_batch_rows) == (3, 1)
    assert any("holds 1 row per pass" in event.text for event in events_of(context) if isinstance(event, Note))
