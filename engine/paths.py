"""Where files are kept on disk, and how they are written. Standard library only.

One root folder if `--home` or DISTILL_TUI_HOME names it, otherwise the four folders of the XDG convention.
Knows nothing of what is inside a project.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StoreError, UsageError

_PROGRAM = "distill-tui"
PRIVATE_FOLDER_MODE = 0o700
PRIVATE_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Home:
    """The folders that outlive a project. Nothing is created by naming them; `make_private_folder` does that."""

    projects: Path
    cache: Path  # models, the converted starter, tokenizers: everything here can be recreated
    config: Path  # the user's settings and key file
    state: Path  # device locks and queues, the current project
    root: Path | None = None  # the value for `--home`; None: the XDG folders

    @classmethod
    def locate(cls, override: Path | None = None) -> "Home":
        """`override` (the `--home` option), else DISTILL_TUI_HOME, else the XDG folders."""
        named = override or _folder_of("DISTILL_TUI_HOME")
        if named is not None:
            root = expand(named).absolute()
            return cls(root / "projects", root / "cache", root / "config", root / "state", root)
        return cls(
            projects=_xdg("XDG_DATA_HOME", ".local/share") / "projects",
            cache=_xdg("XDG_CACHE_HOME", ".cache"),
            config=_xdg("XDG_CONFIG_HOME", ".config"),
            state=_xdg("XDG_STATE_HOME", ".local/state"),
        )

    @property
    def settings(self) -> Path:
        """The user's settings: a file that only the user writes."""
        return self.config / "settings.toml"

    @property
    def themes(self) -> Path:
        """The user's own themes, one file each."""
        return self.config / "themes"


def expand(path: Path | str) -> Path:
    """Return `path` with a leading `~` or `~user` expanded. Raises `UsageError` if there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError("There is no such user.", f"{path} starts with one.", "Write the path in full.") from None


def model_name(name: str) -> str:
    """Return the name of a base model as it is stored: a folder in full, because jobs run in the project's folder.

    "starter" and a hub's "owner/name" stay unchanged; a folder wins over a hub name. Raises `UsageError` for anything
    else. Whether the hub has such a model is checked when it is first needed.
    """
    if name == "starter":
        return name
    folder = expand(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UsageError("The folder holds no model.", f"There is no config.json in {name}.", "Check the path.")
        return str(folder.resolve())
    if not may_be_of_the_hub(name):
        raise UsageError(
            "There is no such model.",
            f"{name} is neither a folder nor a hub's owner/name.",
            "Check the path, or use `starter`.",
        )
    return name


def may_be_of_the_hub(name: str) -> bool:
    """Whether a model's name has the form "owner/name"."""
    return not name.startswith(("/", ".", "~")) and name.count("/") == 1


def make_private_folder(path: Path) -> Path:
    """Create `path` and its missing parents with mode 0700 and return it; existing folders keep their mode.

    Raises `StoreError` if the folder cannot be created.
    """
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "Cannot create a folder.",
            f"{path}: {error.strerror or error}.",
            "Check the permissions and the free space, or choose another folder with --home.",
        ) from error
    return path


def place_to_write(path: Path, *, force: bool) -> Path:
    """Return where to write a file for the user: `path` in full, with links resolved.

    Raises `UsageError` if there is no such folder, if `path` is a folder or a device, and, without `force`, if it is an
    existing file.
    """
    whole = expand(path).resolve()
    if not whole.parent.is_dir():
        raise UsageError(f"There is no folder {whole.parent}", "", "Create it, or name another.")
    if whole.exists() and not whole.is_file():
        raise UsageError("This is not a file.", f"{whole} is a folder, a device or a pipe.", "Name a file.")
    if whole.exists() and not force:
        raise UsageError("The file already exists.", f"{whole} would be overwritten.", "Name another, or add --force.")
    return whole


def write_atomically(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace `path` with `data`, whole or in pieces: write beside it with mode 0600, sync, rename, sync the folder.

    A reader sees the old bytes or the new ones, whenever the process is killed. Raises `StoreError`.
    """
    beside: str | None = None
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
        beside = None
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            "Cannot write a file.",
            f"{path}: {error.strerror or error}.",
            "Check the permissions and the free space, then try again.",
        ) from error
    finally:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _folder_of(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return Path(value) if value else None


def _xdg(variable: str, default: str) -> Path:
    # The convention says that a relative value is invalid and must be ignored.
    named = _folder_of(variable)
    base = named if named is not None and named.is_absolute() else Path.home() / default
    return base / _PROGRAM
