"""The program's entry: without words the terminal app opens, any word goes to the command line.

Imports neither Textual nor any command before it knows which of the two is wanted.
"""

import sys
from pathlib import Path

from engine.paths import Home


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
    from tui.app import DistillApp

    app = DistillApp(home, folder)
    app.run(mouse=True)
    return app.return_code or 0
