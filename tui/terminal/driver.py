"""The terminal's keys for Textual: no byte ends the program, and nothing in a paste is a key.

Textual's own driver ends the app at the first byte that is no UTF-8, and lets an escape inside a paste end it: the rest
would be typed. Knows nothing of panes.
"""

import os
from codecs import getincrementaldecoder
from contextlib import suppress
from select import select

from textual._parser import ParseError
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

_BYTES_AT_ONCE = 4096
_LOOK_AGAIN_S = 0.1  # whether a key that may begin a sequence stands alone
_SHOWN = "␛"  # what stands for an escape everywhere else


class TypedText:
    """The text of what a terminal sends, piece by piece: broken bytes become U+FFFD, escapes inside a paste a sign."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._pasting = False
        self._before = ""  # the end of what was given, outside a paste: its start may have come in two pieces
        self._held = ""  # what was not given yet, inside a paste: it may be the beginning of its end

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """The text of these bytes; the end of one that may go on is given with the next."""
        text, given = self._held + self._decoder.decode(data, final), ""
        self._held = ""
        while text:
            if self._pasting:
                inside, ended, text = text.partition(BRACKETED_PASTE_END)
                if not ended and not final:
                    inside, self._held = _without_beginning(inside)
                given += inside.replace("\x1b", _SHOWN) + ended
                self._pasting = not ended
            else:
                at = (self._before + text).find(BRACKETED_PASTE_START)
                end = len(text) if at < 0 else at + len(BRACKETED_PASTE_START) - len(self._before)
                given, outside, text = given + text[:end], text[:end], text[end:]
                self._pasting = at >= 0
                self._before = "" if self._pasting else (self._before + outside)[1 - len(BRACKETED_PASTE_START) :]
        return given


def _without_beginning(text: str) -> tuple[str, str]:
    """`text` and what at its end may be the beginning of a paste's end."""
    for size in range(len(BRACKETED_PASTE_END) - 1, 0, -1):
        if text.endswith(BRACKETED_PASTE_END[:size]):
            return text[:-size], text[-size:]
    return text, ""


def reading_all(chosen: type[Driver]) -> type[Driver]:
    """The driver that reads so, in the place of Textual's own; any other stays."""
    return TerminalDriver if chosen is LinuxDriver else chosen


class TerminalDriver(LinuxDriver):
    """Textual's driver with another way of reading."""

    def run_input_thread(self) -> None:
        """Read until the app ends."""
        parser, typed = XTermParser(self._debug), TypedText()
        while not self.exit_event.is_set():
            if select([self.fileno], [], [], _LOOK_AGAIN_S)[0]:
                data = os.read(self.fileno, _BYTES_AT_ONCE)
                if text := typed.feed(data, final=not data):
                    for message in parser.feed(text):
                        self.process_message(message)
                if not data:  # the line is gone, and so will the app be
                    break
            for message in parser.tick():
                self.process_message(message)
        with suppress(EOFError, ParseError):
            list(parser.feed(""))
