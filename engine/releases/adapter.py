"""The adapter as a peft folder, moved from its run to a release."""

import shutil
from pathlib import Path

from engine.errors import NotFoundError
from engine.model.folder import read_json
from engine.releases.tokenizer import write_json

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def require_adapter(folder: Path, run_id: int) -> Path:
    """`folder`, if it holds an adapter. Raises NotFoundError otherwise."""
    if not all((folder / name).is_file() for name in ADAPTER_FILES):
        raise NotFoundError(
            f"Run {run_id} has no adapter yet.",
            "Training keeps the best one from its first validation on.",
            "Train on: distill-tui train",
        )
    return folder


def write_adapter(adapter: Path, base_name: str, destination: Path) -> None:
    """Copy the adapter's weights and configuration; the configuration names the base as a stranger can find it."""
    shutil.copyfile(adapter / "adapter_model.safetensors", destination / "adapter_model.safetensors")
    configuration = read_json(adapter / "adapter_config.json")
    configuration["base_model_name_or_path"] = base_name
    write_json(destination / "adapter_config.json", configuration)
