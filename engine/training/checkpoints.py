"""Checkpoint folders that are whole or not there. Knows nothing of what is inside them.

A checkpoint is written as `step-N.tmp/`, every file is synced, a manifest with their SHA-256 hashes comes last, then
the folder is renamed to `step-N/` and its parent synced; only then are older ones removed. A kill at any moment leaves
the checkpoints from before, or the new one as well. Reading trusts nothing but a manifest that verifies.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from safetensors import SafetensorError

from engine.errors import TrainingError
from engine.paths import make_private_folder, sync_folder

CHECKPOINTS = "checkpoints"  # of one run, within its folder
MANIFEST = "manifest.json"
_FORMAT = 1
_NAME = re.compile(r"step-(\d+)")
_READ_BYTES = 1 << 20


def save_checkpoint(folder: Path, step: int, write: Callable[[Path], None]) -> Path:
    """Make `folder/step-N` of what `write` puts into the folder that it is given, and return its path.

    One that is there already under this name is replaced. Raises `TrainingError` where the disk refuses.
    """
    target = folder / f"step-{step}"
    beside = folder / f"step-{step}.tmp"
    make_private_folder(folder)
    try:
        _remove(beside)
        beside.mkdir(mode=0o700)
        write(beside)
        files = {path.relative_to(beside).as_posix(): _sync_and_hash(path) for path in _files(beside)}
        manifest = json.dumps({"format": _FORMAT, "step": step, "files": files}, indent=1)
        (beside / MANIFEST).write_text(manifest, encoding="utf-8")
        _sync_and_hash(beside / MANIFEST)
        for inner in (*(path for path in beside.rglob("*") if path.is_dir()), beside):
            sync_folder(inner)
        _remove(target)
        beside.rename(target)
        sync_folder(folder)
    except (OSError, SafetensorError) as error:  # so a full disk is told by the writer of tensors
        shutil.rmtree(beside, ignore_errors=True)  # what is half written would keep a full disk full
        reason = error.strerror if isinstance(error, OSError) else None
        raise TrainingError(
            "A checkpoint cannot be written.",
            f"{target}: {reason or error}.",
            "Check the free space and the permissions, then resume the job: it goes on from the checkpoint before.",
        ) from error
    return target


def prune_checkpoints(folder: Path, newest: int, keep: Collection[int] = ()) -> None:
    """Remove all but the `newest` checkpoints with the highest steps and those of the steps in `keep`.

    And what a kill has left half written.
    """
    remove_half_written(folder)
    steps = sorted(steps_in(folder), reverse=True)
    for step in steps[newest:]:
        if step not in keep:
            _remove(folder / f"step-{step}")


def remove_checkpoint(folder: Path, step: int) -> None:
    """Remove the one of `step`, so that no run goes on from it."""
    _remove(folder / f"step-{step}")


def remove_half_written(folder: Path) -> None:
    """Remove what a kill has left, where the disk lets it; only whoever writes checkpoints here may ask for it."""
    for path in folder.glob("step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def newest_checkpoint(folder: Path, on_note: Callable[[str], None]) -> Path | None:
    """The checkpoint with the highest step whose manifest verifies; every one that is skipped is told to `on_note`."""
    for step in sorted(steps_in(folder), reverse=True):
        path = folder / f"step-{step}"
        fault = fault_of(path)
        if fault is None:
            return path
        on_note(f"The checkpoint {path.name} is skipped: {fault}.")
    return None


def steps_in(folder: Path) -> tuple[int, ...]:
    """The steps of which there is a checkpoint folder, verified or not."""
    if not folder.is_dir():
        return ()
    matches = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    return tuple(int(match[1]) for path, match in matches if match is not None and path.is_dir())


def fault_of(checkpoint: Path) -> str | None:
    """Why this folder is no whole checkpoint, in a few words; None where every file is as the manifest says."""
    try:
        manifest: object = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "its manifest cannot be read"
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        return "its manifest is of another format"
    files: object = manifest.get("files")
    if not isinstance(files, dict) or f"step-{manifest.get('step')}" != checkpoint.name:
        return "its manifest belongs to another checkpoint"
    present = {path.relative_to(checkpoint).as_posix() for path in _files(checkpoint)} - {MANIFEST}
    if present != set(files):
        return "files are missing or too many"
    for name, expected in files.items():
        try:
            found = _hash(checkpoint / str(name))
        except OSError:
            return f"{name} cannot be read"
        if found != expected:
            return f"{name} is damaged"
    return None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _sync_and_hash(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return _hash(path)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
