"""Text on its way to the clipboard: cleaned, wrapped for what lies between, and said which way it went."""

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
from tests.tui.piloting import until
from tests.tui.test_settings import told
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
    tmux_takes: bool = False
    buffer: str = ""

    def send(self, sequence: str) -> None:
        self.sent.append(sequence)

    def tell_tmux(self, text: str) -> bool:
        self.buffer = text if self.tmux_takes else ""
        return self.tmux_takes

    def save_copy(self, text: str) -> Path:
        if self.full:
            raise StoreError("Cannot write a file.", "No space left on device.")
        self.saved = text
        return Path("/state/copied.txt")


def arrived(sent: str) -> str:
    """What a terminal takes from the one OSC 52 sequence that reaches it."""
    (found,) = re.findall(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sent)
    return b64decode(found).decode()


def through_tmux(sequence: str) -> str:
    """What tmux passes on: DCS tmux; … ST, with each escape doubled inside."""
    (inner,) = re.findall(r"^\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\$", sequence)
    return inner.replace("\x1b\x1b", "\x1b")


def through_screen(sequence: str) -> str:
    """What GNU screen passes on: the content of DCS … ST, each no longer than it takes."""
    (inner,) = re.findall(r"^\x1bP(.*?)\x1b\\$", sequence, re.DOTALL)
    assert len(inner) <= 768
    return inner


@given(st.text(max_size=3000))
def test_it_arrives_clean_through_whatever_lies_between(text: str) -> None:
    clean = clean_text(text)
    (plain,) = sequences(clean, "")
    to_tmux, passed = sequences(clean, "tmux")
    chunks = sequences(clean, "screen")
    assert arrived(plain) == arrived(to_tmux) == arrived(through_tmux(passed)) == clean
    assert arrived("".join(map(through_screen, chunks))) == clean


@pytest.mark.parametrize(
    ("abilities", "said"),
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
def test_the_way_is_said(abilities: Abilities, said: str) -> None:
    assert copy(FakeTerminal(abilities), "hello") == said


def test_tmux_is_asked_itself_too() -> None:
    terminal = FakeTerminal(Abilities(multiplexer="tmux"), tmux_takes=True)
    said = "1 character sent to the clipboard, through the terminal (OSC 52) and tmux, and kept in its buffer."
    assert copy(terminal, "x") == said
    assert terminal.buffer == "x"
    (sent,) = terminal.sent  # at once: a frame that is drawn between two of its pieces would break it
    assert sent.count("\x1b]52;c;") == 2


def test_only_clean_text_is_copied() -> None:
    terminal = FakeTerminal()
    copy(terminal, "a\x1b]52;c;eA==\x07b")
    assert arrived(terminal.sent[0]) == "a␛]52;c;eA==␇b"
    terminal = FakeTerminal(Abilities(clipboard=False))
    copy(terminal, "a\x1bb")
    assert terminal.saved == "a␛b"


@pytest.mark.parametrize("multiplexer", ["", "tmux", "screen"])
def test_what_is_too_long_is_saved_and_not_cut(multiplexer: Multiplexer) -> None:
    terminal = FakeTerminal(Abilities(multiplexer=multiplexer))
    assert copy(terminal, "é" * (LONGEST_BYTES // 2)).startswith("37,497 characters sent")
    terminal.sent.clear()
    assert copy(terminal, "é" * (LONGEST_BYTES // 2 + 1)).startswith("Too long for the terminal's clipboard:")
    assert terminal.saved == "é" * (LONGEST_BYTES // 2 + 1)
    assert not terminal.sent


def test_where_nothing_can_be_saved_that_is_said() -> None:
    said = copy(FakeTerminal(Abilities(clipboard=False), full=True), "x")
    assert said == "This terminal has no clipboard, and the text cannot be saved: No space left on device."


async def test_the_app_tells_which_way_was_used(home: Home) -> None:
    app = DistillApp(home, None, abilities=Abilities(clipboard=False))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.copy_to_clipboard("[/b] an answer")
        await told(pilot, "copied.txt")
        await until(pilot, lambda: (home.state / "copied.txt").read_text() == "[/b] an answer")


async def test_a_tmux_that_takes_its_time_holds_up_no_key(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    answered, threads = Event(), set[str]()

    def slow(_app: DistillApp, text: str) -> bool:
        threads.add(current_thread().name)
        return answered.wait(20)

    monkeypatch.setattr(DistillApp, "tell_tmux", slow)
    app = DistillApp(home, None, abilities=Abilities(multiplexer="tmux"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        app.copy_to_clipboard("an answer")
        await pilot.press("question_mark")
        await until(pilot, lambda: not isinstance(app.screen, StartScreen))
        assert not app._notifications
        answered.set()
        await told(pilot, "kept in its buffer")
    assert current_thread().name not in threads


async def test_what_was_copied_can_be_pasted_and_saved(home: Home) -> None:
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        offered = {command.title for command in app.get_system_commands(app.screen)}
        assert "Save copied text" not in offered
        app.copy_to_clipboard("an answer\x1b")
        assert app.clipboard == "an answer\x1b"
        (save,) = (each for each in app.get_system_commands(app.screen) if each.title == "Save copied text")
        save.callback()
        await told(pilot, "copied.txt")
        assert (home.state / "copied.txt").read_text() == "an answer␛"
        home.state.joinpath("copied.txt").unlink()
        home.state.joinpath("copied.txt").mkdir()
        save.callback()
        await told(pilot, "Cannot write a file.")
