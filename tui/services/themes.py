"""Reads the files of themes and watches them: those that ship and a person's own, which go before.

A file that changes is read anew within a second, from a thread.
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
    """Themes that are new or have changed, and an error for each file that cannot be read."""

    themes: tuple[Theme, ...]
    errors: tuple[UsageError, ...]


def shipped_folder() -> Path:
    """Where the themes lie that ship: inside the package in a wheel, beside it in a checkout."""
    package = Path(tui.__file__).parent
    installed = package / "themes"
    return installed if installed.is_dir() else package.parent / "themes"


def read_theme(home: Home, name: str) -> Theme:
    """One theme by its name. Raises UsageError, NotFoundError where no file has that name."""
    files = _files(home)
    if name not in files:
        can_be_read = [known for known, path in files.items() if _is_sound(path)]
        raise NotFoundError("There is no such theme.", f"theme: {name}.", did_you_mean(name, can_be_read))
    return _read(files[name])


class ThemeService:
    """Posts all themes to `target`, then each that changes, until it is closed."""

    def __init__(self, home: Home, target: MessagePump) -> None:
        self._home = home
        self._target = target
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="themes", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def _watch(self) -> None:
        known: dict[str, tuple[Path, int, int]] = {}
        # The first look comes after the first sight of the app, with which it would share the interpreter.
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
    """What changes when the file does; None where it has gone meanwhile."""
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
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError("A theme cannot be read.", f"{path.name}: {why}.", "Mend the file.") from error
    return parse_theme(text, path.name)
