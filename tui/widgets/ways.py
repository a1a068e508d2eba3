"""The ways on from where there is nothing yet: a key, what it does, and the command that does the same. Pure."""

from rich.cells import cell_len
from textual.content import Content

from tui.keys import key_of
from tui.widgets.lines import ACCENT, DIM, fit


def ways_on(*steps: tuple[str, str, str]) -> list[Content]:
    """One way a line, and its command under it.

    Args:
        steps: an action's name (or those of several that are pressed one after the other, by spaces), words, and a
            command or nothing.
    """
    keys = [key_of(*names.split()) for names, _, _ in steps]
    column = max(map(cell_len, keys)) + 3
    lines: list[Content] = []
    for key, (_, words, command) in zip(keys, steps, strict=True):
        lines.append(Content.assemble("  ", (fit(key, column), ACCENT), words))
        if command:
            lines.append(Content.styled(" " * (2 + column) + command, DIM))
    return lines
