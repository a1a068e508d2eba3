"""The installed program in a pseudo-terminal, with a terminal emulator for its output. Knows no test."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
from pyte.screens import Char

from engine.paths import Home
from tests.e2e.conftest import environment

PROGRAM = str(Path(sys.executable).with_name("distill-tui"))


class Terminal:
    """The program in a pseudo-terminal, with a terminal emulator for its output."""

    def __init__(self, home: Home, columns: int, rows: int, **variables: str) -> None:
        self.sent = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        # The pseudo-terminal has its own size; these variables describe the terminal of the tests.
        environment_variables = {**environment(home), **variables}
        for size in ("COLUMNS", "LINES"):
            environment_variables.pop(size, None)
        self._program = pexpect.spawn(PROGRAM, env=environment_variables, dimensions=(rows, columns), timeout=30)

    def until(self, text: str, gone: str = "", seconds: float = 60) -> str:
        """Read until `text` is on the screen and `gone` is not; everything on the screen."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                data = self._program.read_nonblocking(65536, timeout=0.1)
            except pexpect.TIMEOUT:
                data = b""
            self.sent += data
            self._stream.feed(data)
            display = "\n".join(self.screen.display)
            if text in display and not (gone and gone in display):
                return display
            if time.monotonic() > deadline:
                break
        raise AssertionError(f"{text!r} never appeared on the screen:\n{display}")

    def until_row(self, text: str, holds: Callable[[Char], bool]) -> None:
        """Read until a row with `text` has a cell for which `holds` is true."""
        for _ in range(100):
            self.until(text)
            rows = [row for row, line in enumerate(self.screen.display) if text in line]
            if any(holds(cell) for row in rows for cell in self.screen.buffer[row].values()):
                return
        raise AssertionError(f"no row with {text!r} had such a cell")

    def until_sent(self, text: str) -> None:
        """Read until the program has sent `text`, even if it is not on the screen."""
        for _ in range(300):
            self.until("")
            if text.encode() in self.sent:
                return
        raise AssertionError(f"{text!r} was never sent")

    def press(self, keys: str | bytes) -> None:
        self._program.send(keys)

    def quit(self) -> int:
        self.press("q")
        return self.wait_for_exit()

    def kill(self) -> None:
        """Kill the program with SIGKILL, as a dropped connection may."""
        self._program.kill(signal.SIGKILL)
        self._program.close()

    def wait_for_exit(self) -> int:
        """Read to the end of the output; the exit status."""
        self._program.expect(pexpect.EOF)
        self.sent += self._program.before
        self._program.close()
        return int(self._program.exitstatus)
