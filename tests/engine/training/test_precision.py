"""Training steps of a float32 run use TF32 on GPUs that have it; nothing else uses it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.model.local_model import LocalModel
from engine.project import Project
from engine.records.dataset import DatasetRow
from engine.training import job as job_module
from engine.training import precision
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.precision import TF32_NOTE, step_precision
from engine.training.ranks import Ranks
from engine.training.student import ChunkLoss, add_gradients
from engine.training.validation import Measurement, Validator
from tests.engine.training.job_helpers import make_run, notes_of, train
from tests.engine.training.trainer_helpers import CONFIG, MakeRow, Recorder, make_trainer


@pytest.mark.parametrize(
    ("device", "dtype", "generation", "expected"),
    [
        ("cuda", torch.float32, 8, "high"),
        ("cuda:1", torch.float32, 12, "high"),
        ("cuda", torch.float32, 7, "highest"),
        ("cuda", torch.bfloat16, 9, "highest"),
        ("cpu", torch.float32, 9, "highest"),
    ],
)
def test_tf32_is_used_only_for_a_float32_model_on_a_gpu_that_has_it(
    local: LocalModel, device: str, dtype: torch.dtype, generation: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _device: (generation, 0))
    model = replace(local, device=torch.device(device), dtype=dtype)
    found = ""
    with suppress(KeyError), step_precision(model):
        found = torch.get_float32_matmul_precision()
        raise KeyError
    assert found == expected
    assert torch.get_float32_matmul_precision() == "highest"


def test_gradients_use_tf32_but_evaluations_do_not(
    model_folder: Path, tmp_path: Path, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, str]] = []
    measure = Validator.measure

    def record_and_add(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        found.append(("step", torch.get_float32_matmul_precision()))
        return add_gradients(student, batch, loss, divisor)

    def record_and_measure(
        self: Validator,
        student: LocalModel,
        micro_batch_rows: int,
        rest: Callable[[], None],
        ranks: Ranks,
        *,
        answers: int | None = None,
    ) -> Measurement:
        found.append(("evaluation", torch.get_float32_matmul_precision()))
        return measure(self, student, micro_batch_rows, rest, ranks, answers=answers)

    monkeypatch.setattr(trainer_module, "add_gradients", record_and_add)
    monkeypatch.setattr(Validator, "measure", record_and_measure)
    rows: list[DatasetRow] = [make_row(number, f"question {number}", "Ab") for number in range(1, 9)]
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), replace(CONFIG, epochs=0.5))
    monkeypatch.setattr(precision, "steps_in_tf32", lambda _local: True)
    trainer.run()
    assert set(found) == {("step", "high"), ("evaluation", "highest")}


def test_run_notes_that_it_uses_tf32(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_run = make_run(project, model_folder)
    assert TF32_NOTE not in notes_of(train(project, new_run.id))
    monkeypatch.setattr(job_module, "steps_in_tf32", lambda _local: True)
    assert TF32_NOTE in notes_of(train(project, project.runs.add(new_run.dataset_sha256, new_run.config).id))
