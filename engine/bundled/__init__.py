"""Data that ships with the program: prompts, rules and questions. Knows where they are, and nothing else."""

from importlib.resources import files
from pathlib import Path


def bundled_text(name: str) -> str:
    """Return the text of a bundled file, by its path within this package."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def bundled_folder(name: str) -> Path:
    """Return the path of a bundled folder; the package is always installed unpacked, because torch needs that."""
    return Path(str(files(__name__))) / name
