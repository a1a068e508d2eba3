"""How rows are split into passes changes no result; a step that runs out of memory is repeated in smaller passes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import TrainingError
from engine.model.chat_format import ChatFormat
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.records.prompt import Message
from engine.training import student as student_module
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.state import read_state
from engine.training.student import ChunkLoss
from tests.engine.training.trainer_helpers import CONFIG, Killed, Recorder, adapter_bytes, kill_after, make_trainer
from tests.families import FAMILIES
from tests.tiny import make_tiny_family


def test_running_out_of_memory_halves_the_rows_per_pass_with_the_same_result(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = make_trainer(model_folder, tmp_path / "enough", rows, Recorder())
    expected.run()
    real = student_module.add_gradients
    failures = 0

    def fit_two_rows(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        nonlocal failures
        total = real(student, batch, loss, divisor)  # the gradients of the failed pass must be discarded
        if len(batch.input_ids) > 2:
            failures += 1
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: …")
        return total

    monkeypatch.setattr(trainer_module, "add_gradients", fit_two_rows)
    hooks = Recorder()
    short = make_trainer(model_folder, tmp_path / "short", rows, hooks)
    trained = short.run()
    assert failures == 1
    assert trained.state.micro_batch_rows == 2
    assert any("2 rows per pass" in note for note in hooks.notes)
    assert read_state(tmp_path / "short" / "checkpoints" / "step-12").micro_batch_rows == 2
    for one, other in zip(expected.parameters, short.parameters, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_single_row_that_does_not_fit_switches_the_run_to_recomputed_layers(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    one_row = replace(CONFIG, micro_batch_rows=1)
    make_trainer(model_folder, tmp_path / "enough", rows, Recorder(), one_row).run()
    real = student_module.add_gradients
    saved_bytes = []  # what each forward pass keeps for its backward pass

    def fit_recomputed_only(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        saved = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal saved
            saved += tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            total = real(student, batch, loss, divisor)
        saved_bytes.append(saved)
        if not any(getattr(module, "gradient_checkpointing", False) for module in student.base.modules()):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return total

    monkeypatch.setattr(trainer_module, "add_gradients", fit_recomputed_only)
    hooks = Recorder(kill_after(5))
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "short", rows, hooks).run()
    assert any("layers recomputed" in note for note in hooks.notes)
    resumed = Recorder()
    trained = make_trainer(model_folder, tmp_path / "short", rows, resumed).run()
    assert not any("memory" in note for note in resumed.notes), "the checkpoint holds the choice"
    assert (trained.state.micro_batch_rows, trained.state.recomputed) == (1, True)
    assert adapter_bytes(tmp_path / "short", 12) == adapter_bytes(tmp_path / "enough", 12)
    assert min(saved_bytes) < 0.5 * max(saved_bytes[:3])


def test_row_that_does_not_fit_even_recomputed_is_named_in_the_error(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer_module, "add_gradients", fail)
    with pytest.raises(TrainingError, match=r"A single row does not fit.*Example \d+"):
        make_trainer(model_folder, tmp_path, rows, Recorder()).run()


def test_kernel_oom_kill_halves_the_rows_per_pass_of_the_next_process(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "kernel_oom_kills", lambda: 7)
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path, rows, Recorder(kill_after(3))).run()
    monkeypatch.setattr(trainer_module, "kernel_oom_kills", lambda: 8)
    hooks = Recorder()
    trained = make_trainer(model_folder, tmp_path, rows, hooks).run()
    assert trained.state.micro_batch_rows == 2
    assert any("kernel" in note for note in hooks.notes)


def test_stopped_run_resumes_alike_although_the_kernel_killed_another_process_meanwhile(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "kernel_oom_kills", lambda: 7)
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path, rows, Recorder(kill_after(3), wants_save=lambda: True)).run()
    monkeypatch.setattr(trainer_module, "kernel_oom_kills", lambda: 8)
    hooks = Recorder()
    trained = make_trainer(model_folder, tmp_path, rows, hooks).run()
    assert trained.state.micro_batch_rows == 4
    assert not any("kernel" in note for note in hooks.notes)


@pytest.mark.parametrize("family", ["llama3", "phi3"])
def test_dropout_of_the_base_is_off_so_that_micro_batches_give_the_same_weights(tmp_path: Path, family: str) -> None:
    """The first has its probability as a number of each attention, the second also as modules of its own."""
    probabilities = {"attention_dropout": 0.1, **({"resid_pdrop": 0.1, "embd_pdrop": 0.1} if family == "phi3" else {})}
    noisy = replace(FAMILIES[family], options={**FAMILIES[family].options, **probabilities})
    base = make_tiny_family(tmp_path / "base", noisy)
    chat = ChatFormat.load(base)
    rows = [
        DatasetRow(number, number, "train", tuple(chat.question_ids([Message("user", f"question {number}")])), ids,
                   len(ids), (False,) * len(ids))
        for number in range(1, 9)
        for ids in [tuple(chat.completion_ids("A" + "b" * (number % 5)))]
    ]  # fmt: skip
    whole, split = (
        make_trainer(
            base, tmp_path / f"{size}", rows, Recorder(), replace(CONFIG, micro_batch_rows=size, epochs=2.0),
            local_teacher=False,
        )
        for size in (4, 1)
    )  # fmt: skip
    whole.run()
    split.run()
    for one, other in zip(whole.parameters, split.parameters, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
