"""Lets the teacher answer a few questions in a separate process; answers arrive as they are made. Nothing is stored.

The process is the program itself, `prompt try --json --stream`, because a drawing process imports no model. It ends
with the terminal, as nobody would see its answers.
"""

import json
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from textual.message import Message
from textual.message_pump import MessagePump

from engine.errors import DistillError, JobError, StoreError
from engine.paths import Home
from engine.store.dataclass_json import build
from tui.services.program import command_line, error_of


@dataclass(frozen=True, slots=True)
class TriedRule:
    """What one rule's check found in an answer."""

    id: int
    passed: bool
    note: str


@dataclass(frozen=True, slots=True)
class TriedAnswer:
    """One answer of the teacher, with the prompt."""

    question: str
    answer: str
    rules: tuple[TriedRule, ...]


@dataclass
class TrialAnswered(Message):
    """The teacher answered a question."""

    trial: int
    answer: TriedAnswer


@dataclass
class TrialNoted(Message):
    """What an answer is waiting for: the model is loading, or the endpoint is asked again."""

    trial: int
    note: str


@dataclass
class TrialEnded(Message):
    """No further answers; `error` says why if it failed."""

    trial: int
    error: DistillError | None


class TrialService:
    """Runs trials for one project, one at a time. Messages go to `target`, with the number of their trial."""

    def __init__(self, folder: Path, home: Home, target: MessagePump) -> None:
        self._folder = folder
        self._home = home
        self._target = target
        self._process: subprocess.Popen[str] | None = None
        self._stopped: subprocess.Popen[str] | None = None  # by the user: not a failure
        self._number = 0

    def start(self, questions: Sequence[str], count: int) -> int:
        """Ask these questions, or `count` stored ones if none are given; returns the number of the trial."""
        self.stop()
        self._number += 1
        command = command_line(["prompt", "try", "--stream", "--count", str(count)], self._folder, self._home)
        try:
            # After the two dashes a question may start with one.
            self._process = subprocess.Popen(
                [*command, "--", *questions],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as found:
            error = JobError("The program could not be started.", f"{found.strerror or found}.", "Try again.")
            self._target.post_message(TrialEnded(self._number, error))
            return self._number
        threading.Thread(
            target=self._listen, args=(self._number, self._process), name=f"trial-{self._number}", daemon=True
        ).start()
        return self._number

    def stop(self) -> None:
        """Stop asking."""
        if self._process is not None and self._process.poll() is None:
            self._stopped = self._process
            self._process.terminate()

    def _listen(self, number: int, process: "subprocess.Popen[str]") -> None:
        error: DistillError | None = None
        for line in process.stdout or ():
            found = _read(line)
            if isinstance(found, TriedAnswer):
                self._target.post_message(TrialAnswered(number, found))
            elif isinstance(found, str):
                self._target.post_message(TrialNoted(number, found))
            else:
                error = found
        status = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if status != 0 and error is None and process is not self._stopped:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            error = JobError("The trial ended early.", f"Its process {how}.", "Try again.")
        self._target.post_message(TrialEnded(number, error))


def _read(line: str) -> TriedAnswer | str | DistillError:
    try:
        row = cast("dict[str, object]", json.loads(line))
        if (failed := error_of(row)) is not None:
            return failed
        return str(row["note"]) if "note" in row else build(TriedAnswer, row)
    except (ValueError, TypeError, AttributeError, StoreError) as error:
        detail = error.message if isinstance(error, StoreError) else f"{type(error).__name__}: {error}."
        return JobError("An answer could not be read.", detail, "Try again.")
