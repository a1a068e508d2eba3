"""What is in a release's folder, and how large an export will be. Reads names and sizes; hashes no large file."""

from contextlib import suppress
from pathlib import Path

from engine.errors import ModelError, NotFoundError
from engine.model.adapter_place import ADAPTER_FILES, adapter_folder, holds_adapter
from engine.model.folder import stored_dtype
from engine.model.on_disk import folder_here
from engine.paths import sha256_of
from engine.project import Project
from engine.records.release import Release, ReleasedFile, ReleaseKind
from engine.records.run import Run
from engine.releases.staging import CHECKSUMS
from engine.releases.tokenizer import TOKENIZER_FILES

CARD = "README.md"
_LONGEST_CARD = 1_000_000  # characters


def folder_of(project: Project, release: Release) -> Path:
    """Return the full path of the folder that the release was written to."""
    return project.folder / release.folder


def is_intact(folder: Path, release: Release) -> bool:
    """Whether the folder still holds this release, and not another that replaced it."""
    with suppress(OSError):
        return sha256_of(folder / CHECKSUMS) == release.sha256
    return False


def released_files(folder: Path) -> tuple[ReleasedFile, ...]:
    """The files that the release's checksums list, in that order; none if the folder is gone."""
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    found = []
    for line in lines:
        digest, _, name = line.partition("  ")
        if name and ".." not in Path(name).parts and not Path(name).is_absolute():
            found.append(ReleasedFile(name, digest, _size(folder / name)))
    return tuple(found)


def card_text(folder: Path) -> str:
    """Read the model card from a release's folder. Raises `NotFoundError`."""
    try:
        return (folder / CARD).read_text(encoding="utf-8", errors="replace")[:_LONGEST_CARD]
    except OSError as error:
        raise NotFoundError(
            "Cannot read the model card.", f"{folder / CARD}: {error.strerror or error}.", "Export the run again."
        ) from error


def has_adapter(project: Project, run: Run) -> bool:
    """Whether the run has an adapter, and so can be exported."""
    return holds_adapter(adapter_folder(project.folder, run))


def export_bytes(project: Project, run: Run, kind: ReleaseKind) -> int | None:
    """Estimate the size of an export from what it copies, merges or converts; None if the base is not here yet."""
    base = folder_here(run.config.base, project.home)
    if base is None:
        return None
    copied = [base / name for name in TOKENIZER_FILES]
    weights = (
        [adapter_folder(project.folder, run) / name for name in ADAPTER_FILES]
        if kind == "adapter"
        else list(base.glob("*.safetensors"))
    )
    if kind == "gguf":
        with suppress(ModelError):
            return sum(_size(path) or 0 for path in weights) // (2 if stored_dtype(base) == "float32" else 1)  # 16 bits
        return None
    return sum(_size(path) or 0 for path in (*copied, *weights))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
