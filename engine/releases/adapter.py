"""The adapter as a peft folder, moved from its run to a release."""

import shutil
from pathlib import Path

from engine.model.adapter_place import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from engine.model.folder import read_json
from engine.releases.tokenizer import write_json


def write_adapter(adapter: Path, base_name: str, destination: Path) -> None:
    """Copy the adapter's weights and configuration; the configuration names the base as a stranger can find it."""
    shutil.copyfile(adapter / ADAPTER_WEIGHTS, destination / ADAPTER_WEIGHTS)
    configuration = read_json(adapter / ADAPTER_CONFIG)
    configuration["base_model_name_or_path"] = base_name
    write_json(destination / ADAPTER_CONFIG, configuration)
