"""One child process of a job: its output goes into the job's log, its bars to whoever watches; it ends with the job.

It stays in the job's process group, and does not outlive the job's process, however that ends (Linux). Knows nothing
of what the child does.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from engine.errors import JobError
from engine.jobs.context import JobContext
from engine.jobs.protocol import Progress
from engine.redact import without_keys

_POLL_S = 0.1
# Becomes the program that it is told, which ends with whoever started it, even by SIGKILL.
_BECOME = """import ctypes, os, sys
try:
    ctypes.CDLL(None).prctl(1, 15)
except (AttributeError, OSError):
    pass
os.execv(sys.argv[1], sys.argv[1:])"""
_LEAVES_WITHIN_S = 10.0
_KEPT_LINES = 200
_LONGEST_LINE = 4_000  # characters
# As tqdm draws it, with its unit of thousands where it counts bytes.
_BAR = re.compile(r"^(?P<name>.*?):?\s*\d+%\|[^|]*\|\s*(?P<done>[\d.]+[kMGT]?)/(?P<total>[\d.]+[kMGT]?)")
_THOUSANDS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def as_child(command: Sequence[str]) -> list[str]:
    """How `command`, which names its program in full, is started so that it does not outlive this process."""
    return [sys.executable, "-I", "-c", _BECOME, *command]


def run_child(
    command: Sequence[str], folder: Path, context: JobContext, name: str, environment: Mapping[str, str]
) -> tuple[int, tuple[str, ...]]:
    """Run `command`, which names its program in full, in `folder` to its end; its exit status and its last lines.

    `name` stands before what its bars tell. Paused with the job; raises `JobStopped` when the job is stopped, after the
    child has ended, and `JobError` where it cannot be started.
    """
    if not os.access(command[0], os.X_OK):
        raise JobError("A program could not be started.", f"{command[0]} cannot be run.", "Name another, or mend it.")
    try:
        child = subprocess.Popen(
            as_child(command),
            cwd=folder,
            env={**without_keys(os.environ), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise JobError("A program could not be started.", f"{command[0]}: {error.strerror or error}.", "") from error
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    reader = threading.Thread(target=_read, args=(child.stdout, lines, context, name), daemon=True)
    reader.start()
    try:
        while child.poll() is None:
            if context.pause_requested and not context.stop_requested:
                child.send_signal(signal.SIGSTOP)
                try:
                    context.checkpoint()  # as long as the job is paused
                finally:
                    child.send_signal(signal.SIGCONT)
            context.checkpoint()
            time.sleep(_POLL_S)
    finally:
        _end(child)
        reader.join(_LEAVES_WITHIN_S)
    return child.returncode, tuple(lines)


def bar_of(line: str) -> tuple[str, int, int] | None:
    """What a line of tqdm tells: its name, how much is done, of how much. None for any other line."""
    found = _BAR.match(line)
    return None if found is None else (found["name"].strip(), _whole(found["done"]), _whole(found["total"]))


def _whole(count: str) -> int:
    """A count as tqdm writes it."""
    unit = _THOUSANDS.get(count[-1], 1.0)
    try:
        return round(float(count.rstrip("kMGT")) * unit)
    except ValueError:  # dots that are none of a number
        return 0


def _read(output: TextIO, lines: deque[str], context: JobContext, name: str) -> None:
    """Take in the child's output; a bar, which is drawn over itself with a carriage return, comes as lines."""
    with output:
        while piece := output.readline(_LONGEST_LINE):
            line = piece.rstrip("\n")
            if (bar := bar_of(line)) is not None:
                words, done, total = bar
                context.emit(Progress(done, total, f"{name}: {words}" if words else name))
            elif line.strip():
                lines.append(line)
                print(line, file=sys.stderr)  # noqa: T201 - standard error is the job's log


def _end(child: "subprocess.Popen[str]") -> None:
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_LEAVES_WITHIN_S)
    if child.poll() is None:
        child.kill()
        child.wait()
