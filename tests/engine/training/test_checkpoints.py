"""Folders that are whole or not there, whatever is killed or damaged."""

import json
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.training import saving
from engine.training.checkpoints import (
    MANIFEST,
    fault_of,
    newest_checkpoint,
    prune_checkpoints,
    save_checkpoint,
    steps_in,
)


def write(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "weights").write_bytes(b"w" * 100)
    (folder / "state").write_text("state")


def test_what_was_saved_verifies_and_the_newest_wins(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        assert fault_of(save_checkpoint(tmp_path, step, write)) is None
    assert newest_checkpoint(tmp_path, pytest.fail) == tmp_path / "step-10"
    assert newest_checkpoint(tmp_path / "none", pytest.fail) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "extra", "manifest", "renamed", "no manifest"])
def test_a_damaged_one_is_skipped_with_a_note(tmp_path: Path, damage: str) -> None:
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


def test_a_write_that_ends_in_the_middle_leaves_the_one_before(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def half(folder: Path) -> None:
        write(folder)
        raise Killed

    save_checkpoint(tmp_path, 1, write)
    with pytest.raises(Killed):
        save_checkpoint(tmp_path, 2, half)
    assert steps_in(tmp_path) == (1,)
    assert list(tmp_path.glob("*.tmp"))
    assert newest_checkpoint(tmp_path, pytest.fail) == tmp_path / "step-1"
    assert fault_of(save_checkpoint(tmp_path, 2, write)) is None
    (tmp_path / "step-7.tmp").mkdir()
    prune_checkpoints(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-1", "step-2"]


def test_one_of_the_same_step_is_replaced_whole(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, write)
    path = save_checkpoint(tmp_path, 1, lambda folder: (folder / "other").touch())
    assert fault_of(path) is None
    assert set(json.loads((path / MANIFEST).read_text())["files"]) == {"other"}


def test_pruning_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    for step in range(1, 7):
        save_checkpoint(tmp_path, step, write)
    prune_checkpoints(tmp_path, 2, keep={3})
    assert sorted(steps_in(tmp_path)) == [3, 5, 6]


def test_a_disk_that_refuses_is_explained(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match="No space left"):
        save_checkpoint(tmp_path, 1, full)
    assert not list(tmp_path.iterdir()), "the room that the half of it took is given back"


@pytest.mark.parametrize(("every_s", "wants"), [(60.0, 250.0), (600.0, 600.0), (0.0, 0.0)])
def test_time_alone_asks_for_none_before_the_last_has_cost_a_fiftieth_of_the_time_since(
    tmp_path: Path, every_s: float, wants: float
) -> None:
    now = 1_000.0

    def slow(folder: Path) -> None:
        nonlocal now
        write(folder)
        now += 5.0

    kept = saving.Saving(tmp_path, every_s, clock=lambda: now)
    assert kept.due == (every_s == 0), "nothing is known before the first"
    now += every_s
    assert kept.due
    kept.save(3, slow)
    assert (kept.step, steps_in(tmp_path)) == (3, (3,))
    now += max(0.0, wants - 0.5)
    assert kept.due == (every_s == 0)
    now += 0.5
    assert kept.due
