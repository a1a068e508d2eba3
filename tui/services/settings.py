"""Reads the user's settings and saves choices made in the app, off the drawing thread.

The settings file is the user's: it is read once and never written. Imports no Textual, so that settings are known
before Textual is loaded.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from engine.errors import DistillError, StoreError, UsageError
from engine.paths import Home, make_private_folder, write_atomically
from tui.services.failing import failing_to
from tui.settings import Remembered, Settings, parse_remembered, parse_settings, remembered_text

SLOW_VARIABLE = "DISTILL_TUI_SLOW"
_REMEMBERED = "tui.json"
_COPIED = "copied.txt"


def read_settings(home: Home, environment: Mapping[str, str] = os.environ) -> tuple[Settings, tuple[UsageError, ...]]:
    """The settings of this home and environment, and what is wrong with them."""
    try:
        text = home.settings.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        wrong = UsageError("Cannot read the settings.", f"{home.settings}: {why}.", "Using the defaults.")
        return _in(environment, Settings()), (wrong,)
    settings, errors = parse_settings(text, str(home.settings))
    return _in(environment, settings), errors


def save_copy(home: Home, text: str) -> Path:
    """Save a text that no clipboard accepted, replacing the previous one. Raises `StoreError`."""
    path = make_private_folder(home.state) / _COPIED
    write_atomically(path, text.encode())
    return path


class Memory:
    """Choices and copied text: read at startup, written at each change on top of other terminals' changes.

    A failed write is reported once, to `tell`, from another thread; the program continues without it.
    """

    def __init__(self, home: Home, tell: Callable[[DistillError], object]) -> None:
        self._path = home.state / _REMEMBERED
        self._tell = tell
        self._warned = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memory")
        self.remembered = self._read()

    def choose_theme(self, name: str, settings: Settings) -> None:
        """Remember the theme, until the settings file names a different one."""
        self._change(lambda before: replace(before, theme=name, instead_of=settings.theme))

    def arrange(self, folder: Path, pane: str, rail_width: int, *, maximised: bool = False) -> None:
        """Remember the layout of the workspace: the current pane per project, the rest for all projects."""
        self._change(
            lambda before: replace(
                before, rail_width=rail_width, maximised=maximised, panes={**before.panes, str(folder): pane}
            )
        )

    def share(self, divider: str, share: int) -> None:
        """Remember the position of a divider."""
        self._change(lambda before: replace(before, shares={**before.shares, divider: share}))

    def do(self, work: Callable[[], str], say: Callable[[str], object]) -> None:
        """Do `work` after pending writes, and pass its result to `say` on another thread."""

        def whole() -> None:
            with failing_to(self._tell):
                say(work())

        self._thread.submit(whole)

    def close(self) -> None:
        """Wait for all writes."""
        self._thread.shutdown()

    def _change(self, change: Callable[[Remembered], Remembered]) -> None:
        if (after := change(self.remembered)) != self.remembered:
            self.remembered = after
            self._thread.submit(self._write, change)

    def _read(self) -> Remembered:
        try:
            return parse_remembered(self._path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return Remembered()

    def _write(self, change: Callable[[Remembered], Remembered]) -> None:
        try:
            make_private_folder(self._path.parent)
            write_atomically(self._path, remembered_text(change(self._read())).encode())
        except StoreError as error:
            if not self._warned:
                self._warned = True
                self._tell(error)


def _in(environment: Mapping[str, str], settings: Settings) -> Settings:
    slow = environment.get(SLOW_VARIABLE, "") not in ("", "0")
    return replace(settings, slow=True) if slow else settings
