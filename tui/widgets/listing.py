"""Rows that the cursor can move to: by the same keys everywhere, by search, by a letter of jump mode, by click.

Whatever has a cursor over rows describes them as a `Listing`; the lines that draw a row carry its number as metadata.
Knows neither the search nor the jump mode.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

ROW = "row"  # metadata key for the row number of a drawn line
PAST_ANY_END = 1 << 40  # rows


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of one list as they are now."""

    at: int
    move: Callable[[int], object]  # moves the cursor by so many rows, at most to the ends
    texts: Callable[[], Sequence[str]] = tuple  # raw, one per row, for search; none if the list has its own search
    open: Callable[[], object] | None = None  # what a click on the cursor's row does


class Listed(Widget):
    """A widget or screen with a cursor over rows. Carries the actions of `MOVES`."""

    @property
    def choices(self) -> Listing | None:
        """The rows under a cursor; None while there are none."""
        raise NotImplementedError

    @property
    def listing(self) -> Listing | None:
        """The rows that a search looks through."""
        return self.choices

    @property
    def rows_a_page(self) -> int:
        """The number of rows that page down moves."""
        return max(self.size.height // 2, 5)

    def move_cursor(self, rows: int) -> bool:
        """Move the cursor by so many rows, at most to the ends. Returns whether it moved."""
        if (before := self.choices) is None:
            return False
        before.move(rows)
        moved = (after := self.choices) is not None and after.at != before.at
        if moved:
            self.see_cursor()
        return moved

    def see_cursor(self) -> None:
        """Scroll the cursor's row into view. Lists drawn to fit already show it."""

    def go(self, row: int) -> None:
        """Put the cursor on this row."""
        if (listing := self.choices) is not None:
            self.move_cursor(row - listing.at)

    def action_line_down(self) -> None:
        """Go to the next row."""
        self.move_cursor(1)

    def action_line_up(self) -> None:
        """Go to the previous row."""
        self.move_cursor(-1)

    def action_page_down(self) -> None:
        """Go down a page of rows."""
        self.move_cursor(self.rows_a_page)

    def action_page_up(self) -> None:
        """Go up a page of rows."""
        self.move_cursor(-self.rows_a_page)

    def action_first(self) -> None:
        """Go to the first row."""
        self.move_cursor(-PAST_ANY_END)

    def action_last(self) -> None:
        """Go to the last row."""
        self.move_cursor(PAST_ANY_END)


def numbered(line: Content, row: int) -> Content:
    """Return the line with the number of the row that it draws."""
    return line.stylize(Style.from_meta({ROW: row}))


def holder(widget: Widget) -> Listed | None:
    """Return the owner of this widget's rows: itself, or the nearest `Listed` around it."""
    return next((node for node in widget.ancestors_with_self if isinstance(node, Listed)), None)


def go_to(widget: Widget, row: int) -> None:
    """Focus the owner of this widget's rows, and go to this row."""
    owner = holder(widget)
    if owner is None:
        return
    if owner.focusable:
        owner.focus()
    owner.go(row)


def places(text: str, words: str) -> list[tuple[int, int]]:
    """Return the spans of `words` in `text`, ignoring case; none if `words` is empty."""
    return [found.span() for found in re.finditer(re.escape(words), text, re.IGNORECASE)] if words else []


def matching(texts: Sequence[str], words: str) -> list[int]:
    """Return the rows that contain `words`, in order."""
    return [row for row, text in enumerate(texts) if places(text, words)]


def from_here(rows: Sequence[int], at: int, step: int) -> int | None:
    """Return the first of `rows` at or after `at`, or the last at or before it for a negative step; wraps around."""
    if not rows:
        return None
    if step > 0:
        return next((row for row in rows if row >= at), rows[0])
    return next((row for row in reversed(rows) if row <= at), rows[-1])
