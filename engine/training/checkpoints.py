"""Checkpoint folders that are either intact or absent. Knows nothing of what is inside them.

A checkpoint is written as `step-N.tmp/`, every file is synced, a manifest with their SHA-256 hashes comes last, then
the folder is renamed to `step-N/` and its parent synced; only then are older ones removed. A kill at any moment leaves
the previous checkpoints, or the new one as well. Reading trusts only a manifest that verifies.
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
    """Create `folder/step-N` from what `write` puts into the folder that it is given, and return its path.

    An existing one of this name is replaced. Raises `TrainingError` if it cannot be written.
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
    except (OSError, SafetensorError) as error:  # safetensors reports a full disk as its own error
        shutil.rmtree(beside, ignore_errors=True)  # a partial checkpoint would keep a full disk full
        reason = error.strerror if isinstance(error, OSError) else None
        raise TrainingError(
            "Cannot write a checkpoint.",
            f"{target}: {reason or error}.",
            "Check the free space and the permissions, then resume the job: it continues from the previous checkpoint.",
        ) from error
    return target


def prune_checkpoints(folder: Path, newest: int, keep: Collection[int] = ()) -> None:
    """Remove all checkpoints except the `newest` highest steps and the steps in `keep`, and all partial ones."""
    remove_half_written(folder)
    steps = sorted(steps_in(folder), reverse=True)
    for step in steps[newest:]:
        if step not in keep:
            _remove(folder / f"step-{step}")


def remove_checkpoint(folder: Path, step: int) -> None:
    """Remove the checkpoint of `step`, so that no run resumes from it."""
    _remove(folder / f"step-{step}")


def remove_half_written(folder: Path) -> None:
    """Remove partial checkpoints that a kill left, if possible; only the writer of this folder may call it."""
    for path in folder.glob("step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def newest_checkpoint(folder: Path, on_note: Callable[[str], None]) -> Path | None:
    """Return the highest-step checkpoint whose manifest verifies; each one that is skipped is reported to `on_note`."""
    for step in sorted(steps_in(folder), reverse=True):
        path = folder / f"step-{step}"
        fault = fault_of(path)
        if fault is None:
            return path
        on_note(f"Skipped checkpoint {path.name}: {fault}.")
    return None


def steps_in(folder: Path) -> tuple[int, ...]:
    """Return the steps that have a checkpoint folder, verified or not."""
    if not folder.is_dir():
        return ()
    matches = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    return tuple(int(match[1]) for path, match in matches if match is not None and path.is_dir())


def fault_of(checkpoint: Path) -> str | None:
    """Return why this folder is not an intact checkpoint, in a few words; None if every file matches the manifest."""
    try:
        manifest: object = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "its manifest cannot be read"
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        return "its manifest has another format"
    files: object = manifest.get("files")
    if not isinstance(files, dict) or f"step-{manifest.get('step')}" != checkpoint.name:
        return "its manifest belongs to another checkpoint"
    present = {path.relative_to(checkpoint).as_posix() for path in _files(checkpoint)} - {MANIFEST}
    if present != set(files):
        return "it has missing or extra files"
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
