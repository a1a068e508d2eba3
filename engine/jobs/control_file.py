"""The control file: what the user wants from a running job, read by its worker. One small file, replaced atomically."""

import json
from pathlib import Path
from typing import Literal, cast, get_args

from engine.jobs.protocol import PROTOCOL_VERSION, Command
from engine.paths import write_atomically
from engine.records.job import LIVE_STATES, Job, state_word

Asked = Literal["", "pausing", "stopping"]

CONTROL_FILE = "control.json"
_KEY = "wish"  # its name since the first release: a worker may be of another version than the app


def write_command(folder: Path, command: Command) -> None:
    """Write what the user wants from the job in `folder`. Raises `StoreError` if the file cannot be written."""
    write_atomically(folder / CONTROL_FILE, json.dumps({"version": PROTOCOL_VERSION, _KEY: command}).encode())


def read_command(folder: Path) -> Command:
    """Return the current request; `run` if there is none, or none that this version understands."""
    try:
        row: object = json.loads((folder / CONTROL_FILE).read_bytes())
    except (OSError, ValueError):
        return "run"
    command = cast("dict[str, object]", row).get(_KEY) if isinstance(row, dict) else None
    return cast(Command, command) if command in get_args(Command) else "run"


def asked_of(project_folder: Path, job: Job) -> Asked:
    """Return what a live job was asked to do and has not done yet, as a word that replaces its state; else empty."""
    if job.state not in LIVE_STATES:
        return ""
    command = read_command(project_folder / job.folder)
    return "stopping" if command == "stop" else "pausing" if command == "pause" and job.state != "paused" else ""


def shown_state(project_folder: Path, job: Job) -> str:
    """Return a job's state as shown to the user: what it was asked to do, until it has done so."""
    return asked_of(project_folder, job) or state_word(job.state)
