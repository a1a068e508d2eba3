"""The installed app in limited terminals: it sends only what they understand."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest
from pyte.screens import Char

from engine.paths import Home
from tests.e2e.conftest import environment
from tests.e2e.terminal import Terminal
from tests.tui.panes.measured_projects import make_compared
from tests.tui.seeds import make_stage

_VARIABLES = ("NO_COLOR", "COLORTERM", "TMUX", "STY", "SSH_CONNECTION", "SSH_TTY", "DISTILL_TUI_SLOW", "TEXTUAL_FPS")


@pytest.fixture(autouse=True)
def no_outside_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)


def colour_codes(sent: bytes) -> Iterator[str]:
    """The kind of each colour that was set: `16`, `256` or `true`. The terminal's default colour does not count."""
    for found in re.findall(rb"\x1b\[([\d;:]*)m", sent):
        codes = re.split("[;:]", found.decode())
        while codes:
            code = int(codes.pop(0) or 0)
            if code in (38, 48):
                kind = codes.pop(0)
                del codes[: 1 if kind == "5" else 3]
                yield "256" if kind == "5" else "true"
            elif 30 <= code <= 37 or 40 <= code <= 47 or 90 <= code <= 107:
                yield "16"


ESC, DOWN = "\x1b", "\x1b[B"
# The keys, the text expected after them, and the text that must be gone.
VIEWS = [
    ("9", "ask a question", ""), ("i", "enter send", ""), ("why?", "why?", ""), (ESC, "enter ask", ""),
    ("a", "Compare which arms", ""), (ESC, "enter ask", "Compare which arms"),
    ("5", "Run 1", ""), ("t", "learning rate", ""), (f"{DOWN}{DOWN}x\r", "A whole number", ""),
    (ESC, "Run 1", "learning rate"),
    ("c", "Review", ""), (" ", "1 marked", ""), ("/", "search", ""), (ESC, "1 marked", "search"),
    (ESC, "Review", "1 marked"), (ESC, "Run 1", "Review"),
    ("7", "Release", ""), ("?", "Go to that pane.", ""),
]  # fmt: skip


def visit_all_views(home: Home, **variables: str) -> Terminal:
    """A terminal after a visit to every pane, a form, the review, the help and the palette."""
    make_stage(home, "done")
    terminal = Terminal(home, 100, 30, **variables)
    terminal.until("meridian-desk")
    for key in "12345678":
        terminal.press(key)
        terminal.until("meridian-desk")
    for keys, expected, gone in VIEWS:
        terminal.press(keys)
        terminal.until(expected, gone)
    terminal.until("Go to that pane.")
    terminal.press("q")
    terminal.until("meridian-desk", gone="Go to that pane.")
    terminal.press("\x10")
    terminal.until("Search for commands")
    terminal.press("\x1b")
    terminal.until("meridian-desk", gone="Search for commands")
    return terminal


@pytest.mark.parametrize(
    ("variables", "kinds"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, {"true"}),
        ({"TERM": "xterm-256color"}, {"256"}),
        ({"TERM": "xterm"}, {"16"}),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, set()),
    ],
    ids=["truecolour", "256", "16", "none"],
)
def test_only_supported_colours_are_sent(home: Home, variables: dict[str, str], kinds: set[str]) -> None:
    terminal = visit_all_views(home, **variables)
    assert terminal.quit() == 0
    assert set(colour_codes(terminal.sent)) == kinds


def test_failure_and_selection_are_visible_without_colours(home: Home) -> None:
    """Progress and failure are shown by marks, and the selected command by reverse video."""
    make_stage(home, "failed")
    terminal = Terminal(home, 120, 40, NO_COLOR="1")
    terminal.until("resumes it")
    terminal.until("✗ generate failed")
    terminal.until("▌")
    terminal.press("\x10")
    terminal.until("Search for commands")
    terminal.press("\x1b[B")
    terminal.until_row("Show the", lambda cell: cell.reverse and cell.data.isalpha())
    terminal.press("\x1b")
    terminal.until("resumes it", gone="Search for commands")
    assert terminal.quit() == 0


def bold_letter_of(label: str, cell: Char) -> bool:
    return bool(cell.bold) and cell.data in label


def test_review_form_and_question_are_readable_without_colours(home: Home) -> None:
    """Decisions are shown by marks, failing words are underlined, and the label of the focused field is bold."""
    make_compared(home)
    terminal = Terminal(home, 120, 40, NO_COLOR="1", ESCDELAY="20")
    terminal.until("2 of 8 questions")
    terminal.press("\r")
    terminal.until_row("answers. They look", lambda cell: cell.underscore)
    terminal.press("5")
    terminal.until("watching")
    terminal.press("t")
    for keys, label in (("", "preset"), (f"{DOWN}{DOWN}", "rank"), (f"{DOWN}x\r", "learning rate")):
        terminal.press(keys)
        terminal.until_row(f"  {label}  ", partial(bold_letter_of, label))
    terminal.until("✗ A number from")
    terminal.press(ESC)
    terminal.until("watching", gone="learning rate")
    terminal.press("c")
    terminal.until("Review")
    terminal.until_row("Question 5 about cards", lambda cell: cell.data == "✗")
    terminal.press(" ")
    terminal.until_row("Question 1 about cards", lambda cell: cell.data == "◆")
    terminal.until_row("Question 2 about cards", lambda cell: cell.data == "▌")
    terminal.press(f"{ESC}")
    terminal.until("Review", gone="1 marked")
    terminal.press(ESC)
    terminal.until("watching", gone="Review")
    terminal.press("9")
    terminal.until("ask a question")
    terminal.press("i")
    terminal.until_row("ask both arms", lambda cell: cell.reverse)
    terminal.press(ESC)
    terminal.until("enter ask")
    assert terminal.quit() == 0
    assert not set(colour_codes(terminal.sent))


def test_linux_console_gets_ascii_and_16_colours(home: Home) -> None:
    terminal = visit_all_views(home, TERM="linux")
    assert terminal.quit() == 0
    assert terminal.sent.isascii()
    assert set(colour_codes(terminal.sent)) == {"16"}


def test_settings_file_applies_to_the_installed_program(home: Home) -> None:
    home.config.mkdir(parents=True)
    home.settings.write_text('mouse = false\nascii = true\nthme = "paper"\n[keys]\neverywhere.quit = "f9"\n')
    make_stage(home, "done")
    terminal = Terminal(home, 100, 30)
    terminal.until("Did you mean theme?")
    terminal.press("q")
    terminal.press("\x1b[20~")
    assert terminal.wait_for_exit() == 0
    assert terminal.sent.isascii()
    assert b"\x1b[?1000h" not in terminal.sent


def test_slow_setting_limits_drawing_to_two_frames_per_second(home: Home) -> None:
    """Textual reads the limit once, on import, so it must be set before that."""
    code = """
import io, sys, types
from engine.paths import Home
from tui.main import open_app

class Terminal(io.StringIO):
    isatty = lambda self: True

settings = types.SimpleNamespace(mouse=True)
app = types.SimpleNamespace(settings=settings, run=lambda mouse: None, return_code=0)
sys.modules["tui.app"] = types.SimpleNamespace(DistillApp=lambda *args: app)
stdout, sys.stdout = sys.stdout, Terminal()
open_app(None, Home.locate())
assert "textual" not in sys.modules
from textual.constants import MAX_FPS
print(MAX_FPS, file=stdout, flush=True)
"""
    for slow, expected in (("", "60"), ("1", "2")):
        env = {**environment(home), "DISTILL_TUI_SLOW": slow}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
