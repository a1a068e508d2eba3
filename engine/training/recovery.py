"""Restoring checkpoints: the newest intact one to resume, the newest good one to go back to, the best one to keep."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from peft import PeftModel

from engine.errors import TrainingError
from engine.training.checkpoints import fault_of, newest_checkpoint, remove_checkpoint, remove_half_written, steps_in
from engine.training.replan import can_resume
from engine.training.state import TrainingState, read_state, restore


def resume(
    checkpoints: Path,
    state: TrainingState,
    model: PeftModel,
    optimizer: torch.optim.Optimizer,
    on_note: Callable[[str], None],
) -> TrainingState | None:
    """Restore the newest intact checkpoint and return its state; None if there is none.

    `state` is a fresh state of this run. Raises `TrainingError` if the checkpoints belong to another run.
    """
    remove_half_written(checkpoints)
    checkpoint = newest_checkpoint(checkpoints, on_note)
    if checkpoint is None:
        return None
    found = read_state(checkpoint)
    if found.dataset_sha256 != state.dataset_sha256 or not can_resume(found.config, state.config, found.step):
        raise TrainingError(
            "The checkpoints belong to another run.",
            f"{checkpoint} was written with another configuration or dataset.",
            "Start a new run.",
        )
    restore(checkpoint, model, optimizer)
    return replace(found, config=state.config)


def go_back(
    checkpoints: Path,
    left: TrainingState,
    suspect: int,
    model: PeftModel,
    optimizer: torch.optim.Optimizer,
    on_note: Callable[[str], None],
) -> TrainingState | None:
    """Restore the newest checkpoint from before step `suspect` and return its state; None if there is none.

    `left` is the state of the run so far. Later checkpoints are removed, so that nothing resumes from them.
    """
    for step in steps_in(checkpoints):
        if step >= suspect:
            remove_checkpoint(checkpoints, step)
    checkpoint = newest_checkpoint(checkpoints, on_note)
    if checkpoint is None:
        return None
    restore(checkpoint, model, optimizer)
    return replace(read_state(checkpoint), config=left.config, skipped=left.skipped)


def best_or_last(checkpoints: Path, state: TrainingState, on_note: Callable[[str], None]) -> Path:
    """Return the best checkpoint of a run that has ended, or that of its last step if the best is damaged."""
    best = checkpoints / f"step-{state.best_step}"
    if (fault := fault_of(best)) is None:
        return best
    last = checkpoints / f"step-{state.step}"
    on_note(f"The best checkpoint, {best.name}, cannot be used: {fault}. {last.name} is kept instead.")
    return last
