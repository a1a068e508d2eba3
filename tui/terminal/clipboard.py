"""Copies text to the clipboard of the user's own machine, through the terminal, over SSH and multiplexers.

No terminal reports whether it took the text, so the message says which way was used. If there is none, or the text is
too long for it, the text is saved to a file instead.
"""

from base64 import b64encode
from pathlib import Path
from typing import Protocol

from engine.clean import clean_text
from engine.errors import StoreError
from engine.wording import counted
from tui.terminal.abilities import Abilities, Multiplexer

# xterm accepts no longer sequence, and other terminals have adopted its limit.
LONGEST_BYTES = 74_994
# GNU screen's limit on a string, less room for the sequence around it.
_SCREEN_CHUNK = 700


class Terminal(Protocol):
    """What this module needs from the app."""

    @property
    def abilities(self) -> Abilities:
        """What the terminal can do."""
        ...

    def send(self, sequence: str) -> None:
        """Send the sequence to the terminal unchanged."""
        ...

    def tell_tmux(self, text: str) -> bool:
        """Put the text into the buffer of the surrounding tmux; return whether that worked."""
        ...

    def save_copy(self, text: str) -> Path:
        """Save the text to a file. Raises `StoreError`."""
        ...


def copy(terminal: Terminal, text: str) -> str:
    """Clean and copy foreign text; return a sentence that says which way was used."""
    clean = clean_text(text)
    size = len(clean.encode())
    able = terminal.abilities
    if able.clipboard and size <= LONGEST_BYTES:
        terminal.send("".join(sequences(clean, able.multiplexer)))  # in one write, so that nothing is drawn in between
        through = f" and {able.multiplexer}" if able.multiplexer else ""
        if able.multiplexer == "tmux" and terminal.tell_tmux(clean):
            through += ", and kept in its buffer"
        where = "the clipboard of your own machine" if able.ssh else "the clipboard"
        return f"{counted(len(clean), 'character')} sent to {where}, through the terminal (OSC 52){through}."
    why = "Too long for the terminal's clipboard" if able.clipboard else "This terminal has no clipboard"
    try:
        return f"{why}: {counted(len(clean), 'character')} saved to {terminal.save_copy(clean)}."
    except StoreError as error:
        return f"{why}, and the text cannot be saved: {error.message}"


def sequences(text: str, multiplexer: Multiplexer) -> list[str]:
    """The sequences to send, in this order."""
    plain = f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07"
    if multiplexer == "tmux":
        # The plain sequence makes tmux set its buffer and the terminal's clipboard if `set-clipboard` is on; the
        # wrapped one reaches the terminal if `allow-passthrough` is on. Either may be off.
        return [plain, f"\x1bPtmux;{plain.replace(chr(27), chr(27) * 2)}\x1b\\"]
    if multiplexer == "screen":
        chunks = [plain[start : start + _SCREEN_CHUNK] for start in range(0, len(plain), _SCREEN_CHUNK)]
        return [f"\x1bP{chunk}\x1b\\" for chunk in chunks]
    return [plain]
