"""The environments of the peers, made by uv: with the very torch and transformers that this program runs on."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

TRL = "1.16.0"
_SHARED = ("torch", "transformers", "peft", "accelerate", "datasets")


def trl_python(folder: Path) -> Path:
    """The Python of TRL's environment under `folder`, made where it is not there yet."""
    place = folder / f"trl-{TRL}-transformers-{version('transformers')}"
    python = place / "bin" / "python"
    if not (place / "made").is_file():
        packages = [f"trl=={TRL}", *(f"{name}=={version(name)}" for name in _SHARED)]
        subprocess.run(["uv", "venv", "-q", "--clear", "-p", sys.executable, place], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--compile-bytecode", "-p", python, *packages], check=True)
        (place / "made").touch()
    return python
