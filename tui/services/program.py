"""Runs the program's own commands in separate processes, because their imports would block the drawing process.

Such a process has its own session, so it finishes its work even if the terminal goes away.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from textual.message import Message
from textual.message_pump import MessagePump

from engine.errors import DistillError, JobError
from engine.paths import Home
from tui.services.ended import EndedLate
from tui.services.failing import failing_to

_PROGRAM = "import sys; from engine.cli.main import run; sys.exit(run(sys.argv[1:]))"
Answer = dict[str, object]


@dataclass
class CommandProgress(Message):
    """A running command printed a line of progress."""

    name: str
    words: str


@dataclass
class CommandEnded(Message):
    """A command ended: `answer` is the object it printed; None if it failed, and `error` says why."""

    name: str
    answer: Answer | None
    error: DistillError | None


class Program:
    """Starts commands on one project; their progress and results come as messages to `target`."""

    def __init__(self, folder: Path, home: Home, target: MessagePump) -> None:
        self._folder = folder
        self._home = home
        self._target = target

    def start(self, name: str, words: Sequence[str], said: Callable[[Answer], str] | None = None) -> None:
        """Start a command; `name` identifies its messages.

        `said`: what an answer means, for a user who has left the screen meanwhile; None: that user is told nothing.
        """
        app = self._target.app

        def work() -> None:
            answer: Answer | None = None
            errors: list[DistillError] = []
            with failing_to(errors.append):
                answer = carry_out(words, self._folder, self._home, lambda line: self._tell(name, line))
            error = errors[0] if errors else None
            if not self._target.post_message(CommandEnded(name, answer, error)) and said is not None:
                told = said(answer) if error is None else ""
                app.post_message(EndedLate(self._folder.name, name, told, error))

        # A daemon thread: quitting does not wait for it, and the process continues.
        threading.Thread(target=work, name=f"command-{name}", daemon=True).start()

    def _tell(self, name: str, line: str) -> None:
        self._target.post_message(CommandProgress(name, line))


def command_line(words: Sequence[str], folder: Path, home: Home) -> list[str]:
    """The command line that runs a command on one project and prints one object."""
    where = ["--project", str(folder), *(["--home", str(home.root)] if home.root is not None else [])]
    return [sys.executable, "-P", "-c", _PROGRAM, *words, "--json", *where]


def error_of(answer: Answer) -> DistillError | None:
    """The error of a command that has no result; None for a result, even if it holds an error for scripts."""
    if not isinstance(found := answer.get("error"), dict) or len(answer) > 1:
        return None
    three = cast("Answer", found)
    return DistillError(*(str(three.get(part, "")) for part in ("title", "message", "next")))


def carry_out(
    words: Sequence[str], folder: Path, home: Home, tell: Callable[[str], None] = lambda _line: None
) -> Answer:
    """Run one command with `--json` and return the object it printed; `tell` gets each line of progress.

    Raises the command's own `DistillError`, or `JobError` if its output cannot be read.
    """
    command = command_line(words, folder, home)
    last = ""
    try:
        # A file: an answer longer than a pipe's buffer would block while we are still reading progress.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as answers:
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=answers,
                stderr=subprocess.PIPE,
                start_new_session=True,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as process:
                for line in process.stderr or ():
                    last = line.strip() or last
                    tell(line.strip())
            answers.seek(0)
            answer = cast("Answer", json.load(answers))
    except OSError as error:
        raise JobError("The program could not be started.", f"{error.strerror or error}.", "Try again.") from error
    except ValueError as error:
        raise JobError("A command ended without a result.", last, "Try again.") from error
    if (failed := error_of(answer)) is not None:
        raise failed
    return answer
