"""Copying to the clipboard: cleaning, escape sequences for multiplexers, files, and the message shown."""

import re
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, current_thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clean import clean_text
from engine.errors import StoreError
from engine.paths import Home
from tests.tui.piloting import until, wait_for_toast
from tui.app import DistillApp
from tui.screens.start.screen import StartScreen
from tui.terminal.abilities import Abilities, Multiplexer
from tui.terminal.clipboard import LONGEST_BYTES, copy, sequences


@dataclass
class FakeTerminal:
    abilities: Abilities = field(default_factory=Abilities)
    sent: list[str] = field(default_factory=list)
    saved: str = ""
    full: bool = False
    tmux_accepts: bool = False
    buffer: str = ""

    def send(self, sequence: str) -> None:
        self.sent.append(sequence)

    def tell_tmux(self, text: str) -> bool:
        self.buffer = text if self.tmux_accepts else ""
        return self.tmux_accepts

    def save_copy(self, text: str) -> Path:
        if self.full:
            raise StoreError("Cannot write a file.", "No space left on device.")
        self.saved = text
        return Path("/state/copied.txt")


def decode_osc52(sent: str) -> str:
    """Return the text of the only OSC 52 sequence, as a terminal would decode it."""
    (found,) = re.findall(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sent)
    return b64decode(found).decode()


def through_tmux(sequence: str) -> str:
    """Return what tmux passes on from DCS tmux; … ST, in which each escape is doubled."""
    inner: str
    (inner,) = re.findall(r"^\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\$", sequence)
    return inner.replace("\x1b\x1b", "\x1b")


def through_screen(sequence: str) -> str:
    """Return what GNU screen passes on from DCS … ST, which has a maximum length."""
    inner: str
    (inner,) = re.findall(r"^\x1bP(.*?)\x1b\\$", sequence, re.DOTALL)
    assert len(inner) <= 768
    return inner


@given(st.text(max_size=3000))
def test_text_arrives_clean_directly_and_through_tmux_and_screen(text: str) -> None:
    clean = clean_text(text)
    (plain,) = sequences(clean, "")
    to_tmux, passed = sequences(clean, "tmux")
    chunks = sequences(clean, "screen")
    assert decode_osc52(plain) == decode_osc52(to_tmux) == decode_osc52(through_tmux(passed)) == clean
    assert decode_osc52("".join(map(through_screen, chunks))) == clean


@pytest.mark.parametrize(
    ("abilities", "message"),
    [
        (Abilities(), "5 characters sent to the clipboard, through the terminal (OSC 52)."),
        (
            Abilities(ssh=True, multiplexer="tmux"),
            "5 characters sent to the clipboard of your own machine, through the terminal (OSC 52) and tmux.",
        ),
        (
            Abilities(multiplexer="screen"),
            "5 characters sent to the clipboard, through the terminal (OSC 52) and screen.",
        ),
        (Abilities(clipboard=False), "This terminal has no clipboard: 5 characters saved to /state/copied.txt."),
    ],
)
def test_message_names_how_the_text_was_copied(abilities: Abilities, message: str) -> None:
    assert copy(FakeTerminal(abilities), "hello") == message


def test_tmux_buffer_is_loaded_too() -> None:
    terminal = FakeTerminal(Abilities(multiplexer="tmux"), tmux_accepts=True)
    message = "1 character sent to the clipboard, through the terminal (OSC 52) and tmux, and kept in its buffer."
    assert copy(terminal, "x") == message
    assert terminal.buffer == "x"
    (sent,) = terminal.sent  # one write, because a frame drawn between two parts would break it
    assert sent.count("\x1b]52;c;") == 2


def test_control_codes_are_replaced_before_copying() -> None:
    terminal = FakeTerminal()
    copy(terminal, "a\x1b]52;c;eA==\x07b")
    assert decode_osc52(terminal.sent[0]) == "a␛]52;c;eA==␇b"
    terminal = FakeTerminal(Abilities(clipboard=False))
    copy(terminal, "a\x1bb")
    assert terminal.saved == "a␛b"


@pytest.mark.parametrize("multiplexer", ["", "tmux", "screen"])
def test_text_that_is_too_long_is_saved_to_a_file(multiplexer: Multiplexer) -> None:
    terminal = FakeTerminal(Abilities(multiplexer=multiplexer))
    assert copy(terminal, "é" * (LONGEST_BYTES // 2)).startswith("37,497 characters sent")
    terminal.sent.clear()
    assert copy(terminal, "é" * (LONGEST_BYTES // 2 + 1)).startswith("Too long for the terminal's clipboard:")
    assert terminal.saved == "é" * (LONGEST_BYTES // 2 + 1)
    assert not terminal.sent


def test_failed_save_is_reported() -> None:
    message = copy(FakeTerminal(Abilities(clipboard=False), full=True), "x")
    assert message == "This terminal has no clipboard, and the text cannot be saved: No space left on device."


async def test_app_shows_how_the_text_was_copied(home: Home) -> None:
    app = DistillApp(home, None, abilities=Abilities(clipboard=False))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.copy_to_clipboard("[/b] an answer")
        await wait_for_toast(pilot, "copied.txt")
        await until(pilot, lambda: (home.state / "copied.txt").read_text() == "[/b] an answer")


async def test_slow_tmux_does_not_block_the_app(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    released, threads = Event(), set[str]()

    def slow(_app: DistillApp, text: str) -> bool:
        threads.add(current_thread().name)
        return released.wait(20)

    monkeypatch.setattr(DistillApp, "tell_tmux", slow)
    app = DistillApp(home, None, abilities=Abilities(multiplexer="tmux"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        app.copy_to_clipboard("an answer")
        await pilot.press("question_mark")
        await until(pilot, lambda: not isinstance(app.screen, StartScreen))
        assert not app._notifications
        released.set()
        await wait_for_toast(pilot, "kept in its buffer")
    assert current_thread().name not in threads


async def test_copied_text_can_be_pasted_and_saved(home: Home) -> None:
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        offered = {command.title for command in app.get_system_commands(app.screen)}
        assert "Save copied text" not in offered
        app.copy_to_clipboard("an answer\x1b")
        assert app.clipboard == "an answer\x1b"
        (save,) = (each for each in app.get_system_commands(app.screen) if each.title == "Save copied text")
        save.callback()
        await wait_for_toast(pilot, "copied.txt")
        assert (home.state / "copied.txt").read_text() == "an answer␛"
        home.state.joinpath("copied.txt").unlink()
        home.state.joinpath("copied.txt").mkdir()
        save.callback()
        await wait_for_toast(pilot, "Cannot write a file.")
