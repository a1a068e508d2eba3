"""Terminal input for Textual: no byte ends the program, and nothing in a paste acts as a key.

Textual's own driver ends the app at the first byte that is not UTF-8, and lets an escape inside a paste end the paste,
so that the rest would act as keys. Knows nothing of panes.
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
_LOOK_AGAIN_S = 0.1  # to decide whether a key that may start a sequence stands alone
# Many terminals and tmux send alt+enter as escape and enter, which Textual's parser (8.2.8) reads as enter alone; the
# second form it knows.
_ALT_ENTER, _ALT_ENTER_KNOWN = "\x1b\r", "\x1b[13;3u"
_SHOWN = "␛"  # the sign shown for an escape everywhere in the app


class TypedText:
    """Decodes terminal input piece by piece: broken bytes become U+FFFD, escapes inside a paste a visible sign."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._pasting = False
        self._before = ""  # the last text outside a paste: the start of a paste may arrive in two pieces
        self._held = ""  # text held back inside a paste: it may be the first part of its end

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Return the text of these bytes; an incomplete end is returned with the next ones."""
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
    """Split `text` from a suffix that may be the first part of a paste's end."""
    for size in range(len(BRACKETED_PASTE_END) - 1, 0, -1):
        if text.endswith(BRACKETED_PASTE_END[:size]):
            return text[:-size], text[-size:]
    return text, ""


def with_alt_enter(text: str) -> str:
    """Return terminal input with alt+enter as Textual knows it; it is recognised if it arrives in one piece."""
    return text.replace(_ALT_ENTER, _ALT_ENTER_KNOWN)


def reading_all(chosen: type[Driver]) -> type[Driver]:
    """Return our driver in place of Textual's Linux driver; any other driver is returned unchanged."""
    return TerminalDriver if chosen is LinuxDriver else chosen


class TerminalDriver(LinuxDriver):
    """Textual's driver with our way of reading input."""

    def run_input_thread(self) -> None:
        """Read until the app ends."""
        parser, typed = XTermParser(self._debug), TypedText()
        while not self.exit_event.is_set():
            if select([self.fileno], [], [], _LOOK_AGAIN_S)[0]:
                data = os.read(self.fileno, _BYTES_AT_ONCE)
                if text := typed.feed(data, final=not data):
                    for message in parser.feed(with_alt_enter(text)):
                        self.process_message(message)
                if not data:  # the terminal is gone, and the app will end
                    break
            for message in parser.tick():
                self.process_message(message)
        with suppress(EOFError, ParseError):
            list(parser.feed(""))
