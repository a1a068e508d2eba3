"""Where the adapter of a run lies, and which files make one. Standard library only; reads nothing of their content."""

from pathlib import Path

from engine.errors import NotFoundError
from engine.records.run import Run

ADAPTER = "adapter"  # within the run's folder, and within each checkpoint
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)


def adapter_folder(project: Path, run: Run) -> Path:
    """Where the adapter of a run lies in the project's folder, or will lie."""
    return project / run.folder / ADAPTER


def adapter_of(project: Path, run: Run) -> Path:
    """The same, where there is one. Raises NotFoundError otherwise."""
    return require_adapter(adapter_folder(project, run), run.id)


def require_adapter(folder: Path, run_id: int) -> Path:
    """`folder`, if it holds an adapter. Raises NotFoundError otherwise."""
    if not holds_adapter(folder):
        raise NotFoundError(
            f"Run {run_id} has no adapter yet.",
            "Training keeps the best one from its first validation on.",
            "Train on: distill-tui train",
        )
    return folder


def holds_adapter(folder: Path) -> bool:
    """Whether all files of an adapter are in this folder."""
    return all((folder / name).is_file() for name in ADAPTER_FILES)
