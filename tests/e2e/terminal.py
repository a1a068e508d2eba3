"""The installed program in a pseudo-terminal, with an emulator that draws what it sends. Knows no test."""

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
    """The program in a pseudo-terminal, with an emulator that draws what it sends."""

    def __init__(self, home: Home, columns: int, rows: int, **variables: str) -> None:
        self.sent = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        # The terminal says how large it is; processes that share the tests are told another size.
        told = {**environment(home), **variables}
        for size in ("COLUMNS", "LINES"):
            told.pop(size, None)
        self._program = pexpect.spawn(PROGRAM, env=told, dimensions=(rows, columns), timeout=30)

    def until(self, words: str, gone: str = "", seconds: float = 60) -> str:
        """Read until these words stand on the screen, and `gone` does not; the screen's text."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                data = self._program.read_nonblocking(65536, timeout=0.1)
            except pexpect.TIMEOUT:
                data = b""
            self.sent += data
            self._stream.feed(data)
            text = "\n".join(self.screen.display)
            if words in text and not (gone and gone in text):
                return text
            if time.monotonic() > deadline:
                break
        raise AssertionError(f"{words!r} never stood on the screen:\n{text}")

    def until_row(self, words: str, holds: Callable[[Char], bool]) -> None:
        """Read until a row with these words has a cell for which it holds."""
        for _ in range(100):
            self.until(words)
            rows = [row for row, line in enumerate(self.screen.display) if words in line]
            if any(holds(cell) for row in rows for cell in self.screen.buffer[row].values()):
                return
        raise AssertionError(f"no row with {words!r} ever looked so")

    def until_sent(self, text: str) -> None:
        """Read until the program has sent this text, whether or not it stands on the screen."""
        for _ in range(300):
            self.until("")
            if text.encode() in self.sent:
                return
        raise AssertionError(f"{text!r} was never sent")

    def press(self, keys: str | bytes) -> None:
        self._program.send(keys)

    def leave(self) -> int:
        self.press("q")
        return self.ended()

    def kill(self) -> None:
        """Kill the program at once, as a line that drops may."""
        self._program.kill(signal.SIGKILL)
        self._program.close()

    def ended(self) -> int:
        """Read to the end; the exit status."""
        self._program.expect(pexpect.EOF)
        self.sent += self._program.before
        self._program.close()
        return int(self._program.exitstatus)
