"""The installed app in a pseudo-terminal: the bytes it sends, and what is on the screen."""

import pytest

from engine.paths import Home
from tests.e2e.terminal import Terminal
from tests.tui.seeds import make_stage


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_evaluation_help_and_prompt_are_opened_and_the_app_quits(home: Home, columns: int, rows: int) -> None:
    make_stage(home, "done")
    terminal = Terminal(home, columns, rows)
    text = terminal.until("every rule")
    assert "unprompted" in text
    assert "distilled" in text
    terminal.press("?")
    terminal.until("Evaluate a run")
    terminal.press("q")
    terminal.until("every rule", gone="Evaluate a run")
    terminal.press("1")
    terminal.until("You answer for Meridian")
    assert terminal.quit() == 0


def test_no_hostile_sequence_reaches_the_terminal(home: Home) -> None:
    make_stage(home, "hostile")
    terminal = Terminal(home, 120, 40)
    terminal.until("meridian-desk")
    for key in "1234567":
        terminal.press(key)
        terminal.until("meridian-desk")
    terminal.press("3")
    terminal.until("[@click=app.quit]")
    assert terminal.quit() == 0
    # Textual's pointer shape is the app's only sequence that ends with a bell.
    sent = terminal.sent.replace(b"\x1b]22;default\x07", b"")
    for sequence in (b"\x1b]52", b"\x1b]8;", b"\x9b31m", b"\x07", "\u202e".encode(), "\x9b".encode()):
        assert sequence not in sent


def test_invalid_bytes_and_pasted_escapes_become_text(home: Home) -> None:
    make_stage(home, "done")
    terminal = Terminal(home, 80, 24)
    terminal.until("every rule")
    terminal.press("1")
    terminal.until("You answer for Meridian")
    terminal.press("e")
    terminal.until("Edit the prompt")
    terminal.press(b"\x1b[200~caf\xe9 \x1b[1mbold\x1b[0m second\rthird line\x1b[201~")
    text = terminal.until("third line")
    assert "caf\ufffd ␛[1mbold␛[0m second" in text
    assert text.index("second") < text.index("third line")
    terminal.press(b"\xe9!")
    terminal.until("third line\ufffd!")
    terminal.press("\x1b")
    terminal.until("unsaved draft")
    assert terminal.quit() == 0


@pytest.mark.parametrize("editor", ["/nonexistent/ed", "false"])
def test_failed_editor_returns_the_terminal_to_the_app(home: Home, editor: str) -> None:
    make_stage(home, "done")
    terminal = Terminal(home, 80, 24, VISUAL="", EDITOR=editor)
    terminal.until("every rule")
    terminal.press("1")
    terminal.until("You answer for Meridian")
    terminal.press("E")
    terminal.until("The text is unchanged.")
    terminal.press("3")
    terminal.until("review")
    terminal.press("c")
    terminal.until("by the rules")
    terminal.press("E")
    terminal.until("The text is unchanged.")
    terminal.press("q")
    terminal.until("meridian-desk", gone="The text is unchanged.")
    assert terminal.quit() == 0
