"""Checkpoint folders are complete or absent, whatever is killed or damaged."""

import json
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.training.checkpoints import (
    MANIFEST,
    fault_of,
    newest_checkpoint,
    prune_checkpoints,
    save_checkpoint,
    steps_in,
)
from engine.training.saving import Saving
from tests.engine.training.trainer_helpers import Killed


def write(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "weights").write_bytes(b"w" * 100)
    (folder / "state").write_text("state")


def test_saved_checkpoints_are_valid_and_the_newest_is_found(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        assert fault_of(save_checkpoint(tmp_path, step, write)) is None
    assert newest_checkpoint(tmp_path, pytest.fail) == tmp_path / "step-10"
    assert newest_checkpoint(tmp_path / "none", pytest.fail) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "extra", "manifest", "renamed", "no manifest"])
def test_damaged_checkpoint_is_skipped_with_a_note(tmp_path: Path, damage: str) -> None:
    save_checkpoint(tmp_path, 1, write)
    newest = save_checkpoint(tmp_path, 2, write)
    weights = newest / "inner" / "weights"
    if damage == "flip":
        weights.write_bytes(b"w" * 99 + b"x")
    elif damage == "cut":
        weights.write_bytes(b"w" * 50)
    elif damage == "missing":
        weights.unlink()
    elif damage == "extra":
        (newest / "more").touch()
    elif damage == "manifest":
        (newest / MANIFEST).write_text("{")
    elif damage == "renamed":
        newest.rename(tmp_path / "step-3")
    else:
        (newest / MANIFEST).unlink()
    notes: list[str] = []
    assert newest_checkpoint(tmp_path, notes.append) == tmp_path / "step-1"
    assert len(notes) == 1


def test_interrupted_write_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    def write_then_die(folder: Path) -> None:
        write(folder)
        raise Killed

    save_checkpoint(tmp_path, 1, write)
    with pytest.raises(Killed):
        save_checkpoint(tmp_path, 2, write_then_die)
    assert steps_in(tmp_path) == (1,)
    assert list(tmp_path.glob("*.tmp"))
    assert newest_checkpoint(tmp_path, pytest.fail) == tmp_path / "step-1"
    assert fault_of(save_checkpoint(tmp_path, 2, write)) is None
    (tmp_path / "step-7.tmp").mkdir()
    prune_checkpoints(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-1", "step-2"]


def test_checkpoint_of_the_same_step_is_replaced_completely(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, write)
    path = save_checkpoint(tmp_path, 1, lambda folder: (folder / "other").touch())
    assert fault_of(path) is None
    assert set(json.loads((path / MANIFEST).read_text())["files"]) == {"other"}


def test_pruning_keeps_the_newest_and_the_given_steps(tmp_path: Path) -> None:
    for step in range(1, 7):
        save_checkpoint(tmp_path, step, write)
    prune_checkpoints(tmp_path, 2, keep={3})
    assert sorted(steps_in(tmp_path)) == [3, 5, 6]


def test_full_disk_is_reported_and_its_partial_checkpoint_removed(tmp_path: Path) -> None:
    def write_then_fail(folder: Path) -> None:
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match="No space left"):
        save_checkpoint(tmp_path, 1, write_then_fail)
    assert not list(tmp_path.iterdir()), "the partial checkpoint is removed"


@pytest.mark.parametrize(("every_s", "due_after_s"), [(60.0, 250.0), (600.0, 600.0), (0.0, 0.0)])
def test_timed_checkpoints_take_at_most_a_fiftieth_of_the_time(
    tmp_path: Path, every_s: float, due_after_s: float
) -> None:
    now = 1_000.0

    def write_in_5_s(folder: Path) -> None:
        nonlocal now
        write(folder)
        now += 5.0

    saving = Saving(tmp_path, every_s, clock=lambda: now)
    assert saving.due == (every_s == 0), "the cost of a checkpoint is unknown before the first"
    now += every_s
    assert saving.due
    saving.save(3, write_in_5_s)
    assert (saving.step, steps_in(tmp_path)) == (3, (3,))
    now += max(0.0, due_after_s - 0.5)
    assert saving.due == (every_s == 0)
    now += 0.5
    assert saving.due
