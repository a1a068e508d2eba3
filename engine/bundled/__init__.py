"""Data that ships with the program: the demo's prompt, rules and questions. Knows where they lie, nothing else."""

from importlib.resources import files
from pathlib import Path


def bundled_text(name: str) -> str:
    """The text of a bundled file, by its path below this package."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def bundled_folder(name: str) -> Path:
    """The folder of this name; the package is always unpacked, as torch needs it to be."""
    return Path(str(files(__name__))) / name
