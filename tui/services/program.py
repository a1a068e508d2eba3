"""Commands of the program itself, carried out in processes of their own: what they import would stop a drawing process.

Such a process is in a session of its own: where the terminal goes away, it ends its work all the same.
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
from tui.services.failing import failing_to

_PROGRAM = "import sys; from engine.cli.main import run; sys.exit(run(sys.argv[1:]))"
Answer = dict[str, object]


@dataclass
class CommandTold(Message):
    """A command that is at work said something on the way."""

    name: str
    words: str


@dataclass
class CommandEnded(Message):
    """A command ended: `answer` is the object that it printed; None where it failed, and `error` says why."""

    name: str
    answer: Answer | None
    error: DistillError | None


class Program:
    """Starts commands about one project. What they say and how they end comes as messages to `target`."""

    def __init__(self, folder: Path, home: Home, target: MessagePump) -> None:
        self._folder = folder
        self._home = home
        self._target = target

    def start(self, name: str, words: Sequence[str]) -> None:
        """Begin a command; `name` is what its messages are told apart by."""

        def work() -> None:
            answer: Answer | None = None
            errors: list[DistillError] = []
            with failing_to(errors.append):
                answer = carry_out(words, self._folder, self._home, lambda line: self._tell(name, line))
            self._target.post_message(CommandEnded(name, answer, errors[0] if errors else None))

        # A daemon: whoever leaves the app does not wait for it, and the process goes on.
        threading.Thread(target=work, name=f"command-{name}", daemon=True).start()

    def _tell(self, name: str, line: str) -> None:
        self._target.post_message(CommandTold(name, line))


def command_line(words: Sequence[str], folder: Path, home: Home) -> list[str]:
    """How a command about one project is started, so that it prints one object."""
    where = ["--project", str(folder), *(["--home", str(home.root)] if home.root is not None else [])]
    return [sys.executable, "-P", "-c", _PROGRAM, *words, "--json", *where]


def error_of(answer: Answer) -> DistillError | None:
    """The three sentences of a command that failed; None for any other object."""
    if not isinstance(found := answer.get("error"), dict):
        return None
    three = cast("Answer", found)
    return DistillError(*(str(three.get(part, "")) for part in ("title", "message", "next")))


def carry_out(
    words: Sequence[str], folder: Path, home: Home, tell: Callable[[str], None] = lambda _line: None
) -> Answer:
    """Carry out one command with `--json` and return the object that it printed; `tell` hears each line on the way.

    Raises `DistillError` with the three sentences of the command, `JobError` where it said nothing that can be read.
    """
    command = command_line(words, folder, home)
    last = ""
    try:
        # A file: an answer that is longer than a pipe holds would wait for a reader who still listens to the way.
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
        raise JobError("A command ended without an answer.", last, f"Try it: distill-tui {' '.join(words)}") from error
    if (failed := error_of(answer)) is not None:
        raise failed
    return answer
