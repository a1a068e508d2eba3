"""A hostile project in every view of the installed program: no hostile sequence reaches the terminal."""

import json
import re
from pathlib import Path

import pytest

from engine.paths import Home
from tests.e2e.terminal import Terminal
from tests.engine.teachers.hostile_server import error, good, served, status
from tests.hostile import control_characters, hostile
from tests.tui.hostile_project import make_hostile
from tests.tui.seeds import make_project
from tui.terminal.notice import BRING_TITLE_BACK

# All that the program sends besides text; the text of a title is checked like any other.
_OWN_SEQUENCES = re.compile(
    r"\x1b\[[\d;]*[mH]"  # styles, and cursor positions
    r"|\x1b\[\?\d+(?:[hl]|\$p)|\x1b\[[<>]\d*u"  # modes, and the keyboard protocol
    r"|\x1b\]22;\w+\x07"  # the pointer shape
    r"|\x07?\x1b\[22;2t|\x1b\]2;(?P<title>[^\x07]*)\x07|\x1b\[23;2t"  # the bell, and the window title
)
_X = "[@click=app.quit]"  # the start of each hostile text
ESC, ENTER, JUMP, PALETTE, FOCUS_IN = "\x1b", "\r", "\x0f", "\x10", "\x1b[I"
# The keys, the text expected after them, and the text that must be gone before the next key.
PROMPT = [
    ("1", f"{_X}You answer", ""), ("e", "Edit the prompt", ""), (ESC, "4 rules", ""),
    ("v", "from version 2 to 3", ""), ("j", "from version 1 to 3", ""), (ENTER, "current one, full text", ""),
    (ESC, "4 rules", "full text"), ("P", "found in the text", ""), (ESC, "a add", ""), (ESC, "v versions", ""),
    ("C", f"breaks rule 1, “{_X}", ""), (ESC, "4 rules", ""), ("R", "a add", ""), ("j", f"▌  2 {_X}", ""),
    (ENTER, "Rule 2, 1 of 2", ""), (ENTER, f"starts with “{_X}", ""), (ESC, "Rule 2, 1 of 2", "2 of 2"),
    (ESC, "a add", "1 of 2"),
    ("t", "Test the rules", ""), ("x", "✗ 2 ", ""), (ESC, "a add", ""), (ESC, "v versions", ""),
    ("m", "Import a prompt", ""), (ESC, "v versions", "Import a prompt"), ("T", "Try the prompt", ""),
    (ENTER, f"HTTP 401: {_X}broken", ""), (ESC, "4 rules", ""),
    ("B", "Update the project", ""), (ESC, "4 rules", "Update the project"),
]  # fmt: skip
QUESTIONS = [
    ("2", "Question 1 about cards", ""), ("G", f"{_X}What is the fee", ""), ("T", f"{_X}topic", ""),
    (ENTER, "8 questions listed", ""), (ESC, "Questions   53", "questions listed"), ("d", "repeats it", ""),
    (ESC, "Questions   53", ""), ("a", f"Topics so far: {_X}", ""), (ESC, "Questions   53", "Topics so far"),
    ("s", "Let the teacher write", ""), (ESC, "Questions   53", "Let the teacher write"),
    ("S", "Split the questions", ""), (ENTER, "enter stores", ""), (ESC, "Questions   53", ""),
    ("/", "words in the question", ""), ("fee" + ENTER, "10 questions listed", ""),
    (ESC, "Questions   53", "questions listed"),
]  # fmt: skip
EXAMPLES = [
    ("3", f"{_X}whole", ""), (ENTER, "max tokens per answer", ""), (ESC, f"{_X}whole", "max tokens per answer"),
    ("4", "has no split", ""), ("z", "cannot be frozen", ""), (ESC, "has no split", "cannot be frozen"),
]  # fmt: skip
RUN = [
    ("5", f"{_X}reason", ""), ("d", f"{_X}token", ""), ("d", "watching 1 of 3", ""), ("]", "watching 2 of 3", ""),
    ("]", f"“{_X}asked", ""), ("v", "at the end", ""), ("=", "Runs   2 in all", ""), ("j", "▌a   1 ✓", ""),
    (ESC, "at the end", ""), ("t", "objective", ""), (ESC, "at the end", "objective"),
]  # fmt: skip
EVALUATION = [
    ("6", f"{_X}Starts w", ""), ("v", "90–94", ""), ("=", "Evaluations   4 in all", ""), ("j", "▌      2", ""),
    (ENTER, "1 Starts with", ""), (ESC, f"1 {_X}Starts w", ""), ("d", "d questions", ""), ("d", "▌✗ 5", ""),
    (ENTER, f"{_X}I'm sorry", ""), ("]", "sample 3 of 3", ""), (ESC, "▌✗ 5", ""), ("e", "more arms", ""),
    (ESC, "▌✗ 5", "more arms"), ("i", "There is no evaluation on validation", ""), ("h", "Report written to", ""),
]  # fmt: skip
RELEASE = [
    ("7", f"{_X}file", ""), (ENTER, f"# {_X}card", ""), ("G", f"{_X}end", ""), (ESC, f"{_X}file", ""),
    ("e", "Export a run", ""), (ESC, f"{_X}file", "Export a run"), ("8", f"has no “{_X}model", ""),
    ("e", "enter accept", ""), (ESC, "e edits the figures", ""), ("9", "prompted against", ""),
    ("a", "Compare which arms?", ""), (ESC, "prompted against", "Compare which arms?"),
]  # fmt: skip
REVIEW = [
    ("c", f"{_X}answer of mine", ""), ("d", f"- {_X}answer", ""), ("]", "attempt 2 of 2", ""),
    (ENTER, f"{_X}flag", "rule 1 ✗"), (ENTER, "rule 1 ✗", ""), ("m", "�31m", ""), (ESC, "rule 1 ✗", "�31m"),
    ("T", f"topic {_X}", ""), (ESC, "rule 1 ✗", f"topic {_X}"), (ESC, "attempt 1 of 2", ""),
    ("/", "search", ""), ("answer" + ENTER, "“answer”", ""), (ESC, "rule 1 ✗", "“answer”"),
    (ESC, "prompted against", ""),
]  # fmt: skip
OVERLAYS = [
    ("?", "Go to that pane.", ""), ("q", "prompted against", "Go to that pane."), (PALETTE, "Search for commands", ""),
    (ESC, "prompted against", "Search for commands"), (JUMP, " s  Prompt", ""), ("s", f"{_X}You answer", ""),
    ("o", "2 projects", ""), ("c", f"Duplicate {_X}", ""), (ESC, "2 projects", "Duplicate"),
    ("D", f"Delete {_X}", ""), (ESC, "2 projects", "Delete"), ("/", "part of the name", ""),
    (ESC, "2 projects", "part of the name"),
]  # fmt: skip


def walk(terminal: Terminal, part: list[tuple[str, str, str]]) -> None:
    for keys, expected, gone in part:
        terminal.press(keys)
        terminal.until(expected, gone, seconds=20)


def import_questions(terminal: Terminal, path: Path) -> None:
    """Import questions; the window title reports the end until the window has the focus again."""
    walk(
        terminal, [("m", "Import questions", ""), (f"{path}{ENTER}", f"{_X}brought", ""), (ENTER, "Questions   54", "")]
    )
    terminal.until_sent("evil: import is")
    terminal.press(FOCUS_IN)
    terminal.until_sent(BRING_TITLE_BACK)


def hostile_characters(sent: str) -> set[str]:
    """The characters outside the app's own sequences that a terminal would obey or hide."""
    return control_characters(_OWN_SEQUENCES.sub(lambda found: found["title"] or "", sent))


def test_hostile_sequences_are_not_taken_for_the_apps_own() -> None:
    assert {"\x1b", "\x07", "\x9b", "\u202e"} <= hostile_characters(
        f"\x1b[1;2H\x1b[1m{hostile('x')}\x1b]2;{hostile('x')}\x07"
    )


@pytest.mark.timeout(180)
def test_no_screen_sends_a_hostile_sequence(home: Home, tmp_path: Path) -> None:
    home.config.mkdir(parents=True)
    home.settings.write_text('bell = "always"\n')
    make_project(home, "other").close()
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": hostile("brought"), "topic": hostile("matter")}))
    with served(good(hostile("an"), hostile("answer")), status("401 No", error(hostile("broken")))) as server:
        folder = make_hostile(home, server.url)
        assert control_characters(folder.name)
        terminal = Terminal(home, 120, 40, ESCDELAY="20")
        terminal.until(f"{_X}name")
        terminal.press(ENTER)
        terminal.until("8 Cost")
        for part in (PROMPT, QUESTIONS):
            walk(terminal, part)
        import_questions(terminal, questions)
        for part in (EXAMPLES, RUN, EVALUATION, RELEASE, REVIEW, OVERLAYS):
            walk(terminal, part)
        assert terminal.quit() == 0
    sent = terminal.sent.decode()
    assert hostile_characters(sent) <= {"\r"}, sorted(hostile_characters(sent))
