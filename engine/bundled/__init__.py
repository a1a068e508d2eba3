"""Data that ships with the program: the demo's prompt, rules and questions. Knows where they lie, nothing else."""

from importlib.resources import files


def bundled_text(name: str) -> str:
    """The text of a bundled file, by its path below this package."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
