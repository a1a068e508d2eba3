"""Rows that can be gone to: what a search looks through, where a letter of the jump mode leads, or a click.

Whatever has a cursor over rows tells them as a `Listing`; the lines that draw a row carry its number, unseen. Knows
neither the search nor the jump.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

ROW = "row"  # under which a drawn line tells the number of its row


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of one list as they are now."""

    texts: Sequence[str]  # raw, one a row; empty where the list has a search of its own
    at: int
    go: Callable[[int], object]
    open: Callable[[], object] | None = None  # what a click does on the row where the cursor stands


class Listed(Widget):
    """A widget or a screen whose rows can be gone to; None while it shows nothing of the kind."""

    @property
    def listing(self) -> Listing | None:
        """The rows that are on now."""
        raise NotImplementedError


def numbered(line: Content, row: int) -> Content:
    """The same line, with the number of the row that it draws."""
    return line.stylize(Style.from_meta({ROW: row}))


def holder(widget: Widget) -> Listed | None:
    """Whose rows the lines of this widget are: its own, or those of the nearest around it."""
    return next((node for node in widget.ancestors_with_self if isinstance(node, Listed)), None)


def go_to(widget: Widget, row: int) -> None:
    """Give the keys to whoever has the rows of this widget, and go to that one."""
    owner = holder(widget)
    if owner is None:
        return
    if owner.focusable:
        owner.focus()
    if (listing := owner.listing) is not None:
        listing.go(row)


def places(text: str, words: str) -> list[tuple[int, int]]:
    """Where `words` stand in `text`, whatever their case, as spans of characters; nothing for no words."""
    return [found.span() for found in re.finditer(re.escape(words), text, re.IGNORECASE)] if words else []


def matching(texts: Sequence[str], words: str) -> list[int]:
    """The rows that hold `words`, in their order."""
    return [row for row, text in enumerate(texts) if places(text, words)]


def from_here(rows: Sequence[int], at: int, step: int) -> int | None:
    """The first of `rows` at or after `at`, the last at or before it for a negative step; past the ends the others."""
    if not rows:
        return None
    if step > 0:
        return next((row for row in rows if row >= at), rows[0])
    return next((row for row in reversed(rows) if row <= at), rows[-1])
