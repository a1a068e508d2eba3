"""A project full of attacks through every screen and face of the installed program: no foreign code leaves it."""

import re
from pathlib import Path

import pytest

from engine.paths import Home
from tests.e2e.terminal import Terminal
from tests.engine.teachers.hostile_server import error, good, served, status
from tests.hostile import hostile, obeyed
from tests.tui.hostile_project import make_hostile
from tests.tui.seeds import make_project

# What Textual itself sends: styles and cursor, modes, the pointer's shape and the window's title.
_OURS = re.compile(
    r"\x1b\[[0-9;:?<>=$ ]*[A-Za-z@`]|\x1b\[\?[0-9;]*\$p|\x1b\]22;(?:default|text|pointer)\x07"
    r"|\x1bP\+q[0-9A-Fa-f;]*\x1b\\|\x1b[=>78]"
)
UP, DOWN, ESC, ENTER = "\x1b[A", "\x1b[B", "\x1b", "\r"
# Where the person is, the keys, and the words that are to stand then.
WALK = [
    (ENTER, "8 Cost"), ("1", "4 rules"), ("\x1b[6~", "4 rules"), ("i", "Edit the prompt"), (ESC, "4 rules"),
    ("v", "Versions"), ("j", "version 1 to 3"), (ENTER, "whole"), (ESC, "4 rules"), ("R", "4 rules"),
    ("j", "4 rules"), (ENTER, "what it demands"), (ENTER, "«"), (ESC, "4 rules"), ("t", "An answer"), ("x", "✗"),
    (ESC, "4 rules"), (ESC, "4 rules"), ("m", "Bring a prompt"), (ESC, "4 rules"), ("T", "Try the prompt"),
    (ENTER, "of 3 answered"), ("", "tries again"), (ESC, "4 rules"), ("2", "53"), ("G", "53"), ("T", "Topics"),
    (ENTER, "listed"), (ESC, "Questions"), ("d", "Near twins"), ("", "repeats it"), (ESC, "Questions"),
    ("a", "Add a question"), (ESC, "Questions"), ("s", "Let the teacher write"), (ESC, "Questions"),
    ("S", "Draw the splits"), (ENTER, "enter draws"), (ESC, "Questions"), ("/", "words of the question"),
    ("fee" + ENTER, "questions listed"), (ESC, "Questions"), ("3", "Examples"), ("g", "Let the teacher answer"),
    (ESC, "Examples"), ("\t", "Examples"), ("4", "Dataset"), ("j", "Dataset"), ("z", "Dataset"), (ESC, "Dataset"),
    ("5", "Run 2"), ("d", "differs most"), ("d", "watching"), ("]", "watching"), ("v", "at the end"), ("=", "Runs"),
    ("j", "Run 1"), (ESC, "Run 2"), ("t", "objective"), (ESC, "Run 2"), ("6", "Evaluation"), ("v", "Evaluation"),
    ("=", "Evaluations"), ("j", "Evaluations"), (ENTER, "Evaluation"), ("e", "evaluate"), (ESC, "Evaluation"),
    (ENTER, "Answers"), ("]", "Answers"), (ESC, "Evaluation"), ("7", "Release"), (ENTER, "Model card"),
    ("\x1b[6~", "Model card"), (ESC, "Release"), ("e", "Export a run"), (ESC, "Release"), ("8", "Cost"),
    ("e", "Cost"), (ESC, "Cost"), ("9", "against"), ("a", "Compare which arms?"), ("\x1b[C", "Compare which arms?"),
    (ESC, "against"), ("c", "Curate"), ("j", "Curate"), (ENTER, "Curate"), (ENTER, "Curate"), ("g", "Curate"),
    ("d", "Curate"), ("]", "attempt"), ("m", "Curate"), (ENTER, "Curate"), ("F", "List only"), (ESC, "Curate"),
    ("/", "words to look for"), ("answer" + ENTER, "«answer»"), (ESC, "Curate"), (ESC, "against"),
    ("?", "Show that pane."), ("q", "against"), ("\x0f", " a "), ("a", "against"), ("\x10", "Search for commands"),
    (ESC, "against"), ("o", "2 projects"), ("G", "2 projects"), ("D", "Duplicate"), (ESC, "2 projects"),
    ("x", "Delete"), (ESC, "2 projects"), ("/", "a part of the name"), (ESC, "2 projects"),
]  # fmt: skip


def walk(terminal: Terminal, keys: str, words: str) -> None:
    """Press, and wait until the words stand there and nothing more is drawn: the next key finds what it is for."""
    terminal.press(keys)
    terminal.until(words, seconds=20)
    while True:
        before = len(terminal.sent)
        terminal.until(words, seconds=20)
        if len(terminal.sent) == before:
            return


@pytest.mark.timeout(150)
def test_no_foreign_code_reaches_the_terminal_from_any_screen(home: Home, tmp_path: Path) -> None:
    make_project(home, "other").close()
    with served(good(hostile("an"), hostile("answer")), status("401 No", error(hostile("broken")))) as server:
        folder = make_hostile(home, server.url)
        assert obeyed(folder.name)
        terminal = Terminal(home, 120, 40, ESCDELAY="20")
        terminal.until("[@click=app.quit]name")
        for keys, words in WALK:
            walk(terminal, keys, words)
        assert terminal.leave() == 0
    left = _OURS.sub("", terminal.sent.decode())
    assert obeyed(left) <= {"\r", "\x08", "\t"}, sorted(obeyed(left))
    for attack in ("\x1b]52", "\x1b]8;", "\x1b[2J\x9b", "\x9b"):
        assert attack not in terminal.sent.decode()
