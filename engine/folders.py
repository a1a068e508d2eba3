"""The project folders of a home: which ones exist, and which one is meant. Opens none of them.

Finding a project therefore imports neither the store nor anything else that a project is made of.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.errors import NotFoundError, StoreError, UsageError
from engine.paths import Home, expand, make_private_folder, write_atomically

DATABASE = "project.db"
ARCHIVED = "archived"  # a file of this name keeps the project out of the list
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_LAST_PROJECT = "last_project"


def project_folders(home: Home) -> Iterator[Path]:
    """Yield the folder of every project of this home, by name. Raises `StoreError` if they cannot be listed."""
    try:
        paths = sorted(home.projects.iterdir()) if home.projects.is_dir() else []
    except OSError as error:
        raise StoreError(
            "The projects cannot be listed.",
            f"{error.filename}: {error.strerror or error}.",
            "Check the permissions, or choose another folder with --home.",
        ) from error
    # A name that starts with a dot is a copy in progress, or one that was interrupted.
    yield from (path for path in paths if path.name[0] != "." and _may_be_project(path))


def is_archived(folder: Path) -> bool:
    """Whether the project is hidden from the list."""
    with suppress(OSError):
        return (folder / ARCHIVED).exists()
    return False


def changed_at_s(folder: Path) -> float:
    """Return when the database or its log was last written; the log disappears when the last connection closes."""
    newest = 0.0
    for name in (DATABASE, f"{DATABASE}-wal"):
        with suppress(OSError):
            newest = max(newest, (folder / name).stat().st_mtime)
    return newest


def locate_project(name_or_path: str, home: Home) -> Path:
    """Return the folder of the project with this name or path. Raises `NotFoundError`, which suggests similar names."""
    path = expand(name_or_path)
    try:
        if NAME.fullmatch(name_or_path) and (home.projects / name_or_path / DATABASE).is_file():
            return home.projects / name_or_path
        if (path / DATABASE).is_file():
            return path.resolve()
    except OSError as error:
        raise NotFoundError(
            "There is no such project.", f"{error.filename}: {error.strerror}.", "Check the name and the permissions."
        ) from error
    from difflib import get_close_matches  # only where a name is wrong

    near = get_close_matches(name_or_path, [folder.name for folder in project_folders(home)], n=3)
    raise NotFoundError(
        "There is no such project.",
        f"{name_or_path!r} is neither a project in {home.projects} nor a folder with a {DATABASE}.",
        f"Did you mean {' or '.join(near)}?" if near else "Create one with `distill-tui new`.",
    )


def is_of_home(folder: Path, home: Home) -> bool:
    """Whether the project in `folder` is one of this home, and not one that was opened by its path."""
    return folder.parent.resolve() == home.projects.resolve()


def remember(folder: Path, home: Home) -> None:
    """Make the project in `folder` the one that is used when none is named."""
    path = make_private_folder(home.state) / _LAST_PROJECT
    # Without the home's own path, so that a copied or moved home uses its own project.
    last = folder.name if is_of_home(folder, home) else folder
    text = f"{last}\n".encode("utf-8", "surrogateescape")
    if not path.is_file() or path.read_bytes() != text:
        write_atomically(path, text)


def last_used(home: Home) -> Path | None:
    """Return the folder that was last passed to `remember`; None if it is gone or archived."""
    try:
        text = (home.state / _LAST_PROJECT).read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None
    folder = home.projects / text.removesuffix("\n")  # an absolute path stays as it is
    with suppress(OSError):
        return folder if (folder / DATABASE).is_file() and not is_archived(folder) else None
    return None


def current_folder(home: Home) -> Path | None:
    """Return the folder of the project to use when none is named; None if that is not clear."""
    try:
        return unnamed_project(home)
    except UsageError:
        return None


def unnamed_project(home: Home) -> Path:
    """Return the folder of the project to use when none is named. Raises `UsageError` if that is not clear."""
    last = last_used(home)
    if last is not None:
        return last
    every = tuple(project_folders(home))
    folders = [folder for folder in every if not is_archived(folder)]
    if len(folders) == 1:
        return folders[0]
    if every and not folders:
        raise UsageError(
            "Which project?", f"All {len(every)} are archived.", "Name one with --project, or restore one."
        )
    if not folders:
        raise UsageError(
            "There is no project yet.", f"{home.projects} contains none.", "Create one with `distill-tui new`."
        )
    names = ", ".join(folder.name for folder in folders)
    raise UsageError("Which project?", f"There are several: {names}.", "Name one with --project.")


def _may_be_project(folder: Path) -> bool:
    try:
        return (folder / DATABASE).is_file()
    except OSError:
        return True  # not accessible: listed, with the reason
