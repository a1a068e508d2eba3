"""A program in a pseudo-terminal, timed from outside: when a text is written, and how many bytes.

Knows nothing of the program.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

_CODES = re.compile(
    rb"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|.)", re.DOTALL
)


class Session:
    """One run of a program; killed when the block is left."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int = 120, rows: int = 40
    ) -> None:
        self.started_at = time.perf_counter()
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            # Compiled modules are cached, as for a user.
            environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
            os.execvpe(command[0], list(command), {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.received = 0
        self._tail = b""

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._file)

    def until(self, text: str, timeout_s: float = 60.0) -> float:
        """Wait until the program writes `text`; the time when it did. Raises `TimeoutError`."""
        wanted, seen, deadline = text.encode(), b"", time.perf_counter() + timeout_s
        while time.perf_counter() < deadline:
            seen += self._read(deadline)
            if wanted in _CODES.sub(b"", seen):
                return time.perf_counter()
        raise TimeoutError(f"{text!r} did not appear; the last output was: {_CODES.sub(b'', seen)[-600:]!r}")

    def listen(self, seconds: float) -> int:
        """The number of bytes written in this time."""
        before, deadline = self.received, time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            self._read(deadline)
        return self.received - before

    def press(self, keys: str) -> float:
        """Send keys; the time when they were sent."""
        os.write(self._file, keys.encode())
        return time.perf_counter()

    def _read(self, deadline: float) -> bytes:
        ready, _, _ = select.select([self._file], [], [], max(0.0, min(0.05, deadline - time.perf_counter())))
        if not ready:
            return b""
        try:
            data = os.read(self._file, 65536)
        except OSError:
            raise TimeoutError(f"The program ended: {_CODES.sub(b'', self._tail)!r}") from None
        self.received += len(data)
        self._tail = self._tail[-4096:] + data
        return data
