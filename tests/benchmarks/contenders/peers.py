"""The environments of the peers, made by uv with the same torch and transformers as this program."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

TRL = "1.16.0"
_SHARED = ("torch", "transformers", "peft", "accelerate", "datasets")


def trl_python(folder: Path) -> Path:
    """The Python of TRL's environment under `folder`, made on first use."""
    venv = folder / f"trl-{TRL}-transformers-{version('transformers')}"
    python = venv / "bin" / "python"
    if not (venv / "made").is_file():
        packages = [f"trl=={TRL}", *(f"{name}=={version(name)}" for name in _SHARED)]
        subprocess.run(["uv", "venv", "-q", "--clear", "-p", sys.executable, venv], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--compile-bytecode", "-p", python, *packages], check=True)
        (venv / "made").touch()
    return python
