"""Finds a base model by name: the starter, a local folder, or a model on the Hugging Face hub.

Only safetensors, JSON and template files are ever downloaded. Knows nothing of how models are loaded.
"""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import scan_cache_dir, snapshot_download
from huggingface_hub.errors import (
    CacheNotFound,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from engine.errors import ModelError
from engine.model.folder import check_safetensors
from engine.model.on_disk import hub_folder, starter_folder
from engine.model.starter import STARTER_SOURCE, OnProgress, ensure_starter
from engine.paths import Home, expand, make_private_folder, may_be_of_the_hub

STARTER = "starter"
_PATTERNS = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja"]
_NOT_WANTED = ["consolidated*", "original/*", "*/consolidated*"]  # copies of the weights for other programs


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A model that is already on this machine."""

    name: str  # as `locate_base` takes it
    folder: Path
    size_bytes: int
    source: str


def locate_base(name: str, home: Home, on_progress: OnProgress | None = None) -> Path:
    """Return the folder of a base model, converted or downloaded on first use.

    `name` is "starter", a local folder, or a hub name such as "Qwen/Qwen2.5-0.5B-Instruct". A folder takes precedence
    over a hub name. Raises `ModelError`, with what to do next, if it is not found, gated, offline or not safetensors.
    """
    if name == STARTER:
        return ensure_starter(home, on_progress)
    local = expand(name)
    if local.is_dir():
        check_safetensors(local)
        return local.resolve()
    if not may_be_of_the_hub(name):
        raise ModelError(
            "Cannot find the model.",
            f"{name} is neither a folder nor the name of a hub model (owner/name).",
            "Check the path, or use `starter`.",
        )
    folder = _from_hub(name, home, on_progress)
    check_safetensors(folder)
    return folder


def cached_models(home: Home) -> tuple[CachedModel, ...]:
    """Return the models in this program's cache: the converted starter, and those downloaded from the hub."""
    found = []
    starter = starter_folder(home)
    if starter.is_dir():
        size = sum(path.stat().st_size for path in starter.iterdir() if path.is_file())
        found.append(CachedModel(STARTER, starter, size, STARTER_SOURCE))
    try:
        repositories = scan_cache_dir(hub_folder(home)).repos
    except CacheNotFound:
        repositories = frozenset()
    for repository in sorted(repositories, key=lambda each: each.repo_id):
        newest = max(repository.revisions, key=lambda revision: revision.last_modified, default=None)
        if repository.repo_type == "model" and newest is not None:
            found.append(
                CachedModel(
                    repository.repo_id, newest.snapshot_path, repository.size_on_disk, f"hub:{repository.repo_id}"
                )
            )
    return tuple(found)


def _download(name: str, cache: Path, *, local_files_only: bool = False) -> str:
    return snapshot_download(
        name, cache_dir=cache, allow_patterns=_PATTERNS, ignore_patterns=_NOT_WANTED, local_files_only=local_files_only
    )


def _from_hub(name: str, home: Home, on_progress: OnProgress | None) -> Path:
    cache = make_private_folder(hub_folder(home))
    try:
        return Path(_download(name, cache, local_files_only=True))
    except HFValidationError as error:
        raise ModelError("The model's name is invalid.", f"{name}: {error}", "A hub name is owner/name.") from error
    except LocalEntryNotFoundError:
        pass
    if on_progress is not None:
        on_progress(0, 1, f"downloading {name}")
    try:
        folder = Path(_download(name, cache))
    except GatedRepoError as error:
        raise ModelError(
            "The model is gated.",
            f"{name} is available only to people who have accepted its licence.",
            f"Accept it at https://huggingface.co/{name}, then set HF_TOKEN to a read token of your account.",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            "Cannot find the model on the hub.",
            f"{name} does not exist there, or is private.",
            "Check the spelling; for a private model, set HF_TOKEN.",
        ) from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            "Cannot download the model.",
            f"{name}: {error}",
            "Check the network connection, or use `starter` or a local folder.",
        ) from error
    if on_progress is not None:
        on_progress(1, 1, f"downloaded {name}")
    return folder
