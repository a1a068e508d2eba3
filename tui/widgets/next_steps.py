"""The next steps on an empty page: a key, what it does, and the command that does the same. Pure."""

from rich.cells import cell_len
from textual.content import Content

from tui.keys import key_of
from tui.widgets.lines import ACCENT, DIM, fit


def next_steps(*steps: tuple[str, str, str]) -> list[Content]:
    """Return one line per step, with its command below it.

    Args:
        steps: the name of an action (or of several to be pressed in turn, separated by spaces), what it does, and a
            command or an empty string.
    """
    keys = [key_of(*names.split()) for names, _, _ in steps]
    column = max(map(cell_len, keys)) + 3
    lines: list[Content] = []
    for key, (_, words, command) in zip(keys, steps, strict=True):
        lines.append(Content.assemble("  ", (fit(key, column), ACCENT), words))
        if command:
            lines.append(Content.styled(" " * (2 + column) + command, DIM))
    return lines
