"""The program's entry: without words the terminal app opens, any word goes to the command line.

Imports neither Textual nor any command before it knows which of the two is wanted.
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

# Textual draws at most so often; it reads the variable when it is imported, and never again.
_FLUSHES_VARIABLE = "TEXTUAL_FPS"
_SLOW_FLUSHES_A_SECOND = "2"
# A drawn pane makes thousands of objects, which live for one drawing. What survives is looked through while it is
# little (a look at what ten collections left took longer than a frame), and all of it as seldom as else.
_COLLECTIONS = (10_000, 3, 30)


def main() -> None:
    """Run the program and exit with its status."""
    words = sys.argv[1:]
    if not words:
        sys.exit(open_app(None, Home.locate()))
    from engine.cli.main import run

    sys.exit(run(words, face=open_app))


def open_app(folder: Path | None, home: Home) -> int:
    """Open the app on a project, or on the last used one (the list of projects where there is none)."""
    if not sys.stdout.isatty():
        sys.stderr.write("The app needs a terminal. Without one: distill-tui --help lists the commands.\n")
        return 2
    settings, errors = prepare(home)
    from tui.app import DistillApp
    from tui.terminal.abilities import abilities_in

    return run_app(DistillApp(home, folder, settings, abilities_in(os.environ), errors))


def prepare(home: Home) -> "tuple[Settings, tuple[UsageError, ...]]":
    """A person's settings and what is wrong with them. To be called before Textual is imported."""
    from tui.services.settings import read_settings

    gc.disable()  # of all that is imported nothing is garbage
    settings, errors = read_settings(home)
    if settings.slow:
        os.environ[_FLUSHES_VARIABLE] = _SLOW_FLUSHES_A_SECOND
    return settings, errors


def run_app(app: "DistillApp") -> int:
    """Run the app; its exit status. What was imported stays, and garbage is never looked for in it again.

    Looking through all modules takes longer than a frame, and a person at the keys feels it.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    gc.enable()
    app.run(mouse=app.settings.mouse)
    return app.return_code or 0
