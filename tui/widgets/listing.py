"""Rows that can be gone to: by the same keys everywhere, by a search, by a letter of the jump mode, by a click.

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
PAST_ANY_END = 1 << 40  # rows


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of one list as they are now."""

    at: int
    move: Callable[[int], object]  # the cursor, so many rows, at most to the ends
    texts: Callable[[], Sequence[str]] = tuple  # raw, one a row, for a search; none where the list has one of its own
    open: Callable[[], object] | None = None  # what a click does on the row where the cursor stands


class Listed(Widget):
    """A widget or a screen whose rows can be gone to. Carries the actions of `MOVES`."""

    @property
    def choices(self) -> Listing | None:
        """The rows that have a cursor over them; None while there are none."""
        raise NotImplementedError

    @property
    def listing(self) -> Listing | None:
        """What is looked through."""
        return self.choices

    @property
    def rows_a_page(self) -> int:
        """How far a page down goes."""
        return max(self.size.height // 2, 5)

    def move_cursor(self, rows: int) -> bool:
        """Move the cursor so many rows, at most to the ends. Returns whether it moved."""
        if (before := self.choices) is None:
            return False
        before.move(rows)
        moved = (after := self.choices) is not None and after.at != before.at
        if moved:
            self.see_cursor()
        return moved

    def see_cursor(self) -> None:
        """Bring the row under the cursor into sight. Lists that are drawn for their room have it there."""

    def go(self, row: int) -> None:
        """Put the cursor on this row."""
        if (listing := self.choices) is not None:
            self.move_cursor(row - listing.at)

    def action_line_down(self) -> None:
        """The next row."""
        self.move_cursor(1)

    def action_line_up(self) -> None:
        """The row before."""
        self.move_cursor(-1)

    def action_page_down(self) -> None:
        """A page of rows on."""
        self.move_cursor(self.rows_a_page)

    def action_page_up(self) -> None:
        """A page of rows back."""
        self.move_cursor(-self.rows_a_page)

    def action_first(self) -> None:
        """The first row."""
        self.move_cursor(-PAST_ANY_END)

    def action_last(self) -> None:
        """The last row."""
        self.move_cursor(PAST_ANY_END)


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
    owner.go(row)


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
