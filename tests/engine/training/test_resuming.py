"""Killed and stopped runs resume from their checkpoints and end with the same bytes as uninterrupted ones."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from torch import Tensor

from engine.errors import TrainingError
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.records.run import AdapterKind
from engine.training import student as student_module
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.checkpoints import steps_in
from engine.training.student import ChunkLoss
from tests.engine.training.trainer_helpers import (
    CONFIG,
    Killed,
    Recorder,
    adapter_bytes,
    kill_after,
    make_trainer,
)


@pytest.mark.parametrize("killed_after", [(1,), (3, 4, 11), (6,)])
def test_killed_and_resumed_run_ends_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], killed_after: tuple[int, ...]
) -> None:
    """Twelve steps with a checkpoint after each; a process is killed before the next step, sometimes repeatedly."""
    hooks = Recorder()
    expected = make_trainer(model_folder, tmp_path / "uninterrupted", rows, hooks).run()
    assert expected.state.step == hooks.saved[-1] == 12
    folder = tmp_path / "killed"
    for step in killed_after:
        with pytest.raises(Killed):
            make_trainer(model_folder, folder, rows, Recorder(kill_after(step))).run()
    (folder / "checkpoints" / "step-2.tmp").mkdir()  # as a kill in the middle of a write leaves it
    trainer = make_trainer(model_folder, folder, rows, Recorder())
    trainer._begin()
    assert not list((folder / "checkpoints").glob("*.tmp"))
    resumed = make_trainer(model_folder, folder, rows, Recorder()).run()
    assert resumed.state.step == 12
    assert adapter_bytes(folder, 12) == adapter_bytes(tmp_path / "uninterrupted", 12)
    optimizer = "checkpoints/step-12/optimizer.safetensors"
    assert (folder / optimizer).read_bytes() == (tmp_path / "uninterrupted" / optimizer).read_bytes()
    assert [replace(point, tokens_per_second=0) for point in resumed.state.points] == [
        replace(point, tokens_per_second=0) for point in expected.state.points
    ]


def test_ten_random_kills_in_both_stages_end_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both stages and all extra terms; each kill falls between two passes, so half a step is lost."""
    monkeypatch.setattr("engine.training.general._ANSWER_TOKENS", 4)
    config = replace(
        CONFIG, micro_batch_rows=2, epochs=2.0, on_policy_steps=8, on_policy_batch_rows=4, on_policy_answer_tokens=6,
        general_fraction=0.2, prompt_back_weight=0.1, on_policy_learning_rate=1e-2,
    )  # fmt: skip
    make_trainer(model_folder, tmp_path / "uninterrupted", rows, Recorder(), config).run()
    folder, random = tmp_path / "killed", Random(7)
    real = student_module.add_gradients
    passes_left = 0

    def die_when_none_left(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> Tensor:
        nonlocal passes_left
        if passes_left == 0:
            raise Killed
        passes_left -= 1
        return real(student, batch, loss, divisor)

    monkeypatch.setattr(trainer_module, "add_gradients", die_when_none_left)
    reached = []
    for _kill in range(10):
        passes_left = random.randrange(2, 12)
        hooks = Recorder()
        with pytest.raises(Killed):
            make_trainer(model_folder, folder, rows, hooks, config).run()
        reached.append(max(steps_in(folder / "checkpoints")))
        assert hooks.saved[-1:] in ([], reached[-1:]), "the newest checkpoint was reported"
    assert reached[0] < 8 < reached[-1] < 16, "both stages were killed"
    passes_left = -1
    make_trainer(model_folder, folder, rows, Recorder(), config).run()
    for name in ("adapter/adapter_model.safetensors", "optimizer.safetensors"):
        file = Path("checkpoints") / "step-16" / name
        assert (folder / file).read_bytes() == (tmp_path / "uninterrupted" / file).read_bytes()


@pytest.mark.parametrize("kind", ["rslora", "dora", "full"])
def test_other_adapter_kinds_resume_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], kind: AdapterKind
) -> None:
    config = replace(CONFIG, adapter=kind, epochs=1.0, on_policy_steps=2, on_policy_batch_rows=4)
    hooks = Recorder()
    make_trainer(model_folder, tmp_path / "uninterrupted", rows, hooks, config).run()
    assert hooks.steps[3].loss < hooks.steps[0].loss
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "killed", rows, Recorder(kill_after(3)), config).run()
    make_trainer(model_folder, tmp_path / "killed", rows, Recorder(), config).run()
    assert adapter_bytes(tmp_path / "killed", 6) == adapter_bytes(tmp_path / "uninterrupted", 6)


def test_stop_request_saves_a_checkpoint_first(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    config = replace(CONFIG, checkpoint_every_s=1e9)
    hooks = Recorder(kill_after(5))
    hooks.wants_save = lambda: bool(hooks.steps) and hooks.steps[-1].step == 5
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path, rows, hooks, config).run()
    assert max(steps_in(tmp_path / "checkpoints")) == 5
    resumed = Recorder()
    make_trainer(model_folder, tmp_path, rows, resumed, config).run()
    assert [metrics.step for metrics in resumed.steps] == list(range(6, 13))


def test_damaged_newest_checkpoint_is_skipped_with_a_note(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path, rows, Recorder(kill_after(5))).run()
    weights = tmp_path / "checkpoints" / "step-5" / "adapter" / "adapter_model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    hooks = Recorder()
    make_trainer(model_folder, tmp_path, rows, hooks).run()
    assert [metrics.step for metrics in hooks.steps] == list(range(5, 13))
    assert "Skipped checkpoint step-5: adapter/adapter_model.safetensors is damaged." in hooks.notes


def test_checkpoints_of_another_configuration_are_refused(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    make_trainer(model_folder, tmp_path, rows, Recorder()).run()
    other = make_trainer(model_folder, tmp_path, rows, Recorder(), replace(CONFIG, learning_rate=0.1))
    with pytest.raises(TrainingError, match="another run"):
        other.run()
