"""Reads and watches theme files: built-in ones and the user's own, which take precedence.

A changed file is read again within a second, on a thread.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump
from textual.theme import Theme

import tui
from engine.errors import NotFoundError, UsageError
from engine.paths import Home
from tui.settings import did_you_mean
from tui.themes import parse_theme

LOOK_EVERY_S = 0.5


@dataclass
class ThemesRead(Message):
    """New or changed themes, and an error for each unreadable file."""

    themes: tuple[Theme, ...]
    errors: tuple[UsageError, ...]


def shipped_folder() -> Path:
    """The folder of built-in themes: inside the package in a wheel, beside it in a checkout."""
    package = Path(tui.__file__).parent
    installed = package / "themes"
    return installed if installed.is_dir() else package.parent / "themes"


def read_theme(home: Home, name: str) -> Theme:
    """Load one theme by name. Raises UsageError, or NotFoundError if no file has that name."""
    files = _files(home)
    if name not in files:
        can_be_read = [known for known, path in files.items() if _is_sound(path)]
        raise NotFoundError("There is no such theme.", f"theme: {name}.", did_you_mean(name, can_be_read))
    return _read(files[name])


class ThemeService:
    """Posts all themes to `target`, then each that changes, until closed."""

    def __init__(self, home: Home, target: MessagePump) -> None:
        self._home = home
        self._target = target
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="themes", daemon=True).start()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def _watch(self) -> None:
        known: dict[str, tuple[Path, int, int]] = {}
        # The first read waits until after the first paint, with which it would compete for the interpreter.
        while not self._closed.wait(LOOK_EVERY_S):
            now = {name: stamp for name, path in _files(self._home).items() if (stamp := _stamp(path)) is not None}
            themes: list[Theme] = []
            errors: list[UsageError] = []
            for name in [name for name, stamp in now.items() if known.get(name) != stamp]:
                try:
                    themes.append(_read(now[name][0]))
                except UsageError as error:
                    errors.append(error)
            known = now
            if themes or errors:
                self._target.post_message(ThemesRead(tuple(themes), tuple(errors)))


def _files(home: Home) -> dict[str, Path]:
    folders = (shipped_folder(), home.themes)
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def _stamp(path: Path) -> tuple[Path, int, int] | None:
    """A stamp that changes when the file does; None if the file is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return path, found.st_mtime_ns, found.st_size


def _is_sound(path: Path) -> bool:
    try:
        _read(path)
    except UsageError:
        return False
    return True


def _read(path: Path) -> Theme:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError("Cannot read a theme.", f"{path.name}: {why}.", "Fix the file.") from error
    return parse_theme(text, path.name)
