"""One child process of a job: its output goes to the job's log, and its progress bars become progress events.

It stays in the job's process group and, on Linux, never outlives the job's process. Knows nothing of what the child
does.
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
# Replaces itself with the given program, which ends with its parent process even if that is killed by SIGKILL.
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
    """Return the command that runs `command`, whose program is a full path, and ends it together with this process."""
    return [sys.executable, "-I", "-c", _BECOME, *command]


def run_child(
    command: Sequence[str], folder: Path, context: JobContext, name: str, environment: Mapping[str, str]
) -> tuple[int, tuple[str, ...]]:
    """Run `command`, whose program is a full path, in `folder`; return its exit status and last lines of output.

    `name` is put before the names of its progress bars. The child is paused with the job. Raises `JobStopped` when the
    job is stopped, after the child has ended, and `JobError` if it cannot be started.
    """
    if not os.access(command[0], os.X_OK):
        raise JobError(
            "A program could not be started.", f"{command[0]} is missing or not executable.", "Check its path."
        )
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
                    context.checkpoint()  # blocks while the job is paused
                finally:
                    child.send_signal(signal.SIGCONT)
            context.checkpoint()
            time.sleep(_POLL_S)
    finally:
        _end(child)
        reader.join(_LEAVES_WITHIN_S)
    return child.returncode, tuple(lines)


def bar_of(line: str) -> tuple[str, int, int] | None:
    """Return the name, the count done and the total of a tqdm progress line; None for any other line."""
    found = _BAR.match(line)
    return None if found is None else (found["name"].strip(), _whole(found["done"]), _whole(found["total"]))


def _whole(count: str) -> int:
    """Return a count that tqdm wrote as a number."""
    unit = _THOUSANDS.get(count[-1], 1.0)
    try:
        return round(float(count.rstrip("kMGT")) * unit)
    except ValueError:  # dots that are not part of a number
        return 0


def _read(output: TextIO, lines: deque[str], context: JobContext, name: str) -> None:
    """Read the child's output; a progress bar, which redraws itself with carriage returns, arrives as lines."""
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
