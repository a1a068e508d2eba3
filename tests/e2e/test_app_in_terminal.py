"""The installed app in a real pseudo-terminal: what leaves it, byte by byte, and what a person reads."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
import pytest
from pyte.screens import Char

from engine.paths import Home
from tests.e2e.conftest import environment
from tests.tui.seeds import make_stage

PROGRAM = str(Path(sys.executable).with_name("distill-tui"))


class Terminal:
    """The program in a pseudo-terminal, with an emulator that draws what it sends."""

    def __init__(self, home: Home, columns: int, rows: int, **variables: str) -> None:
        self.sent = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        told = {**environment(home), **variables}
        self._program = pexpect.spawn(PROGRAM, env=told, dimensions=(rows, columns), timeout=30)

    def until(self, words: str, gone: str = "") -> str:
        """Read until these words stand on the screen, and `gone` does not; the screen's text."""
        for _ in range(600):
            try:
                data = self._program.read_nonblocking(65536, timeout=0.1)
            except pexpect.TIMEOUT:
                data = b""
            self.sent += data
            self._stream.feed(data)
            text = "\n".join(self.screen.display)
            if words in text and not (gone and gone in text):
                return text
        raise AssertionError(f"{words!r} never stood on the screen:\n{text}")

    def until_row(self, words: str, holds: Callable[[Char], bool]) -> None:
        """Read until a row with these words has a cell for which it holds."""
        for _ in range(100):
            self.until(words)
            rows = [row for row, line in enumerate(self.screen.display) if words in line]
            if any(holds(cell) for row in rows for cell in self.screen.buffer[row].values()):
                return
        raise AssertionError(f"no row with {words!r} ever looked so")

    def press(self, keys: str) -> None:
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


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_the_table_of_the_arms_is_read_and_left(home: Home, columns: int, rows: int) -> None:
    make_stage(home, "done")
    terminal = Terminal(home, columns, rows)
    text = terminal.until("all rules together")
    assert "unprompted" in text
    assert "distilled" in text
    terminal.press("?")
    terminal.until("Measure a run")
    terminal.press("q")
    terminal.until("all rules together", gone="Measure a run")
    terminal.press("1")
    terminal.until("You answer for Meridian")
    assert terminal.leave() == 0


def test_no_foreign_code_reaches_the_terminal(home: Home) -> None:
    make_stage(home, "hostile")
    terminal = Terminal(home, 120, 40)
    terminal.until("meridian-desk")
    for key in "1234567":
        terminal.press(key)
        terminal.until("meridian-desk")
    terminal.press("3")
    terminal.until("[@click=app.quit]")
    assert terminal.leave() == 0
    # Textual's own pointer shape is the one sequence with a bell.
    foreign = terminal.sent.replace(b"\x1b]22;default\x07", b"")
    for code in (b"\x1b]52", b"\x1b]8;", b"\x9b31m", b"\x07", "\u202e".encode(), "\x9b".encode()):
        assert code not in foreign
