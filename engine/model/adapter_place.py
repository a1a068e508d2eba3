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
    return require_adapter(adapter_folder(project, run), run.id)


def require_adapter(folder: Path, run_id: int) -> Path:
    """Return `folder` if it holds an adapter. Raises NotFoundError otherwise."""
    if not holds_adapter(folder):
        raise NotFoundError(
            f"Run {run_id} has no adapter yet.",
            "It gets the best one so far when its training ends or is stopped.",
            f"Continue training: distill-tui train --run {run_id}",
        )
    return folder


def holds_adapter(folder: Path) -> bool:
    """Whether all files of an adapter are in this folder."""
    return all((folder / name).is_file() for name in ADAPTER_FILES)
