"""The control file: what the user wants from a running job, read by its worker. One small file, replaced atomically."""

import json
from pathlib import Path
from typing import cast, get_args

from engine.jobs.protocol import PROTOCOL_VERSION, Wish
from engine.paths import write_atomically

CONTROL_FILE = "control.json"


def write_wish(folder: Path, wish: Wish) -> None:
    """Write what the user wants from the job in `folder`. Raises `StoreError` if the file cannot be written."""
    write_atomically(folder / CONTROL_FILE, json.dumps({"version": PROTOCOL_VERSION, "wish": wish}).encode())


def read_wish(folder: Path) -> Wish:
    """Return the current request; `run` if there is none, or none that this version understands."""
    try:
        row: object = json.loads((folder / CONTROL_FILE).read_bytes())
    except (OSError, ValueError):
        return "run"
    wish = cast("dict[str, object]", row).get("wish") if isinstance(row, dict) else None
    return cast(Wish, wish) if wish in get_args(Wish) else "run"
