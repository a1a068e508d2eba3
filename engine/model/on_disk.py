"""Finds the folder of a base that is already on this machine by its name. Downloads and converts nothing.

Standard library only, because it is used while a screen is drawn. Knows nothing of what a model folder must contain.
"""

from pathlib import Path

from engine.paths import Home, expand, may_be_of_the_hub

GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # what the starter is converted from


def folder_here(base: str, home: Home) -> Path | None:
    """Where `locate_base` would find the base without any work; None if it would first convert or download it."""
    if base == "starter":
        folder = starter_folder(home)
    else:
        folder = expand(base)
        if not folder.is_dir() and may_be_of_the_hub(base):
            return _snapshot(hub_folder(home) / f"models--{base.replace('/', '--')}")
    return folder if folder.is_dir() else None


def starter_folder(home: Home) -> Path:
    """Where the converted starter is, or will be once it has been made."""
    return home.cache / "models" / f"starter-{GGUF_SHA256[:12]}"


def hub_folder(home: Home) -> Path:
    """Where models from the hub are downloaded to, in the hub's own layout."""
    return home.cache / "models" / "hub"


def _snapshot(repository: Path) -> Path | None:
    """The files of the commit that the cache calls `main`: the one that is loaded, even if older ones are there."""
    try:
        commit = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
        folder = repository / "snapshots" / commit
        return folder if commit and folder.is_dir() else None
    except (OSError, UnicodeDecodeError, ValueError):
        return None
