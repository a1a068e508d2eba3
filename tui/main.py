"""The program's entry point: without arguments it opens the terminal app, otherwise it runs the command line.

Imports neither Textual nor any command before it knows which of the two is needed.
"""

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.paths import Home

if TYPE_CHECKING:
    from engine.errors import UsageError
    from tui.app import DistillApp
    from tui.settings import Settings

# Textual's maximum frame rate; it reads the variable only when it is imported.
_FLUSHES_VARIABLE = "TEXTUAL_FPS"
_SLOW_FLUSHES_A_SECOND = "2"
# Drawing a pane makes thousands of short-lived objects. The middle generation is collected while it is small (after ten
# young collections, collecting it took longer than a frame), the oldest about as rarely as by default.
_COLLECTIONS = (10_000, 3, 30)


def main() -> None:
    """Run the program and exit with its status."""
    words = sys.argv[1:]
    if not words:
        sys.exit(open_app(None, Home.locate()))
    from engine.cli.main import run

    sys.exit(run(words, open_app=open_app))


def open_app(folder: Path | None, home: Home) -> int:
    """Open the app on a project, or on the last used one, or on the list of projects if there is none."""
    if not sys.stdout.isatty():
        sys.stderr.write("The app needs a terminal. Run distill-tui --help for commands that work without one.\n")
        return 2
    settings, errors = prepare(home)
    from tui.app import DistillApp
    from tui.terminal.abilities import abilities_in

    return run_app(DistillApp(home, folder, settings, abilities_in(os.environ), errors))


def prepare(home: Home) -> "tuple[Settings, tuple[UsageError, ...]]":
    """Return the user's settings and what is wrong with them. Call this before Textual is imported."""
    from tui.services.settings import read_settings

    gc.disable()  # nothing that is imported is garbage
    settings, errors = read_settings(home)
    if settings.slow:
        os.environ[_FLUSHES_VARIABLE] = _SLOW_FLUSHES_A_SECOND
    return settings, errors


def run_app(app: "DistillApp") -> int:
    """Run the app and return its exit status. The garbage collector no longer scans what was imported so far.

    Scanning all modules takes longer than a frame, which the user would notice.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    gc.enable()
    app.run(mouse=app.settings.mouse)
    return app.return_code or 0
