"""Steps of a float32 run multiply in TF32 on a GPU that has it; nothing else does, and nowhere else."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.jobs.protocol import Note
from engine.model.local_model import LocalModel
from engine.project import Project
from engine.records.dataset import DatasetRow
from engine.training import job as job_module
from engine.training import precision
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.precision import TF32_NOTE, products_of_steps
from engine.training.student import ChunkLoss
from engine.training.validation import Measurement, Validator
from tests.engine.training.runs import CONFIG, MakeRow, Recorder, make_trainer
from tests.engine.training.test_job import carry_out, events_of, make_run


@pytest.mark.parametrize(
    ("device", "dtype", "generation", "inside"),
    [
        ("cuda", torch.float32, 8, "high"),
        ("cuda:1", torch.float32, 12, "high"),
        ("cuda", torch.float32, 7, "highest"),
        ("cuda", torch.bfloat16, 9, "highest"),
        ("cpu", torch.float32, 9, "highest"),
    ],
)
def test_only_a_float32_model_on_a_gpu_that_has_it(
    local: LocalModel, device: str, dtype: torch.dtype, generation: int, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _device: (generation, 0))
    there = replace(local, device=torch.device(device), dtype=dtype)
    found = ""
    with suppress(KeyError), products_of_steps(there):
        found = torch.get_float32_matmul_precision()
        raise KeyError
    assert found == inside
    assert torch.get_float32_matmul_precision() == "highest"


def test_only_gradients_are_computed_so(
    model_folder: Path, tmp_path: Path, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, str]] = []
    real, measure = trainer_module.add_gradients, Validator.measure

    def add_gradients(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        found.append(("step", torch.get_float32_matmul_precision()))
        return real(student, batch, loss, divisor)

    def measured(*given: object, **named: object) -> Measurement:
        found.append(("measured", torch.get_float32_matmul_precision()))
        return measure(*given, **named)

    monkeypatch.setattr(trainer_module, "add_gradients", add_gradients)
    monkeypatch.setattr(Validator, "measure", measured)
    rows: list[DatasetRow] = [make_row(number, f"question {number}", "Ab") for number in range(1, 9)]
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), replace(CONFIG, epochs=0.5))
    monkeypatch.setattr(precision, "steps_in_tf32", lambda _local: True)
    trainer.run()
    assert set(found) == {("step", "high"), ("measured", "highest")}


def test_the_run_says_so(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(number: int) -> list[str]:
        return [event.text for event in events_of(carry_out(project, number)) if isinstance(event, Note)]

    made = make_run(project, model_folder)
    assert TF32_NOTE not in told(made.id)
    monkeypatch.setattr(job_module, "steps_in_tf32", lambda _local: True)
    assert TF32_NOTE in told(project.runs.add(made.dataset_sha256, made.config).id)
