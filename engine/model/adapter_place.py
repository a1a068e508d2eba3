"""Where a run's adapter is, and which files it consists of. Standard library only; never reads their content."""

from pathlib import Path

from engine.errors import NotFoundError
from engine.records.run import Run

ADAPTER = "adapter"  # within the run's folder, and within each checkpoint
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)


def adapter_folder(project: Path, run: Run) -> Path:
    """Return the folder, within the project's folder, where a run's adapter is or will be."""
    return project / run.folder / ADAPTER


def adapter_of(project: Path, run: Run) -> Path:
    """Return the folder of a run's adapter. Raises NotFoundError if it has none."""
    folder = adapter_folder(project, run)
    if holds_adapter(folder):
        return folder
    if run.state == "done":
        raise NotFoundError(
            f"The adapter of run {run.id} is gone.",
            f"{folder} no longer holds all of its files.",
            "Restore them from a backup, or train a new run: distill-tui train",
        )
    started = run.state in ("running", "paused")
    raise NotFoundError(
        f"Run {run.id} has no adapter yet.",
        "It gets the best one so far when its training ends or is stopped.",
        "Wait for that." if started else f"Continue training: distill-tui train --run {run.id}",
    )


def holds_adapter(folder: Path) -> bool:
    """Whether all files of an adapter are in this folder."""
    return all((folder / name).is_file() for name in ADAPTER_FILES)
