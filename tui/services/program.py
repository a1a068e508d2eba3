"""Runs the program's own commands in separate processes, because their imports would block the drawing process.

Such a process has its own session, so it finishes its work even if the terminal goes away.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from textual.message_pump import MessagePump

from engine.errors import DistillError, JobError
from engine.paths import Home
from tui.services.ended import WorkEnded
from tui.services.failing import failing_to

_PROGRAM = "import sys; from engine.cli.main import run; sys.exit(run(sys.argv[1:]))"
Answer = dict[str, object]
Result = Answer | DistillError  # the object that a command printed, or why it failed


class Program:
    """Starts commands on one project; what comes of them goes to functions, called among the messages of `target`."""

    def __init__(self, folder: Path, home: Home, target: MessagePump) -> None:
        self._folder = folder
        self._home = home
        self._target = target

    def start(
        self,
        name: str,
        words: Sequence[str],
        then: Callable[[Result], object],
        said: Callable[[Answer], str] | None = None,
        tell: Callable[[str], object] = lambda _line: None,
    ) -> None:
        """Start a command. `then` gets its result, `tell` each line of its progress.

        `said`: what an answer means, for a user who has left the screen meanwhile; None: that user is told nothing.
        """
        app = self._target.app

        def work() -> None:
            ended: list[Result] = []
            with failing_to(ended.append):
                ended.append(
                    carry_out(words, self._folder, self._home, lambda line: self._target.call_later(tell, line))
                )
            (result,) = ended
            late = not self._target.call_later(then, result)
            if said is not None:
                told, error = ("", result) if isinstance(result, DistillError) else (said(result), None)
                app.post_message(WorkEnded(self._folder.name, name, late=late, words=told, error=error))

        # A daemon thread: quitting does not wait for it, and the process continues.
        threading.Thread(target=work, name=f"command-{name}", daemon=True).start()


def command_line(words: Sequence[str], folder: Path, home: Home) -> list[str]:
    """The command line that runs a command on one project and prints one object."""
    where = ["--project", str(folder), *(["--home", str(home.root)] if home.root is not None else [])]
    return [sys.executable, "-P", "-c", _PROGRAM, *words, "--json", *where]


def error_of(answer: Answer) -> DistillError | None:
    """The error of a command that has no result; None for a result, even if it holds an error for scripts."""
    if not isinstance(found := answer.get("error"), dict) or not answer.keys() <= {"error", "job"}:
        return None
    three = cast("Answer", found)
    return DistillError(*(str(three.get(part, "")) for part in ("title", "message", "next")))


def carry_out(
    words: Sequence[str], folder: Path, home: Home, tell: Callable[[str], object] = lambda _line: None
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
