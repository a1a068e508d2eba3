"""Lines that scroll by the same keys everywhere. Knows nothing of their contents."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tui.widgets.listing import PAST_ANY_END, Listed, Listing
from tui.widgets.page import Page


class Scroller(VerticalScroll, Listed, can_focus=True):
    """One scrolling page. If it has a list, the keys move the list's cursor first, and at its ends the page.

    Without a list, search looks through the rows of the page.
    """

    DEFAULT_CSS = "Scroller { scrollbar-size-vertical: 1; }"

    _at_end = True

    def compose(self) -> ComposeResult:
        """Yield the page."""
        yield Page(classes="lines")

    @property
    def line_width(self) -> int:
        """Width of a line in cells: the same with and without a scrollbar, with a blank cell before it."""
        return max(self.scrollable_content_region.width - (1 if self.show_vertical_scrollbar else 2), 16)

    @property
    def scrolled(self) -> VerticalScroll:
        """The widget that the keys scroll."""
        return self

    @property
    def choices(self) -> Listing | None:
        """The rows of the list on the page; None if it has no list."""
        return None

    @property
    def listing(self) -> Listing | None:
        """The list, else the rows of the page once that exists."""
        if (listing := self.choices) is not None:
            return listing
        top = round(self.scrolled.scroll_offset.y)
        page = next(iter(self.scrolled.query(".lines").results(Page)), None)
        return Listing(top, lambda rows: self.go(top + rows), lambda: page.rows) if page is not None else None

    def go(self, row: int) -> None:
        """Put the cursor on this row of the list; without a list, scroll this row of the page into view."""
        if self.choices is not None:
            super().go(row)
            return
        top, height = round(self.scrolled.scroll_offset.y), self.scrolled.size.height
        if not top <= row < top + height - 1:
            self.scrolled.scroll_to(y=max(row - height // 3, 0), animate=False, immediate=True)

    def see_cursor(self) -> None:
        """Scroll as little as needed to show the cursor's row; to the top if that shows it too."""
        page = next(iter(self.query(".lines").results(Page)), None)
        if page is None or (listing := self.choices) is None or not (rows := page.rows_of(listing.at)):
            return
        top, height = round(self.scroll_offset.y), self.scrollable_content_region.height
        if top <= rows[0] and rows[-1] < top + height:
            return
        if rows[-1] < height:
            self.scroll_home(animate=False, immediate=True)
        else:
            self.scroll_to(y=rows[0] if rows[0] < top else rows[-1] - height + 1, animate=False)

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Do nothing: focus changes no style, and Textual (8.2.8) would restyle every widget inside, which is slow."""

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Remember whether the end is in view, because a shrinking window moves it out without the user scrolling."""
        super().watch_scroll_y(old_value, new_value)
        self._at_end = new_value >= self.max_scroll_y

    def stay_at_end(self) -> None:
        """Keep the end in view if it was in view before. To be called after new lines were shown.

        Scrolls in the same frame that draws the lines: scrolling afterwards would send the page to the terminal twice.
        """
        if not self._at_end:
            return
        for page in self.query(".lines").results(Page):
            if page.size.height and (grown := len(page.rows) - page.size.height):
                fits = len(page.rows) < self.container_size.height  # for example after the window has grown
                end = 0 if fits else max(self.max_scroll_y + grown, 0)
                self.set_scroll(None, end)
                self.vertical_scrollbar.position = end
        self.call_after_refresh(self.scroll_end, animate=False)

    def action_line_down(self) -> None:
        """Go to the next row, or scroll a line down."""
        if not self.move_cursor(1):
            self.scrolled.scroll_down(animate=False)

    def action_line_up(self) -> None:
        """Go to the previous row, or scroll a line up."""
        if not self.move_cursor(-1):
            self.scrolled.scroll_up(animate=False)

    def action_page_down(self) -> None:
        """Go a page down."""
        if not self.move_cursor(self.rows_a_page):
            self.scrolled.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Go a page up."""
        if not self.move_cursor(-self.rows_a_page):
            self.scrolled.scroll_page_up(animate=False)

    def action_first(self) -> None:
        """Go to the first row and the start of the page."""
        super().action_first()
        self.scrolled.scroll_home(animate=False, immediate=True)

    def action_last(self) -> None:
        """Go to the last row; from there, or without a list, to the end of the page."""
        if not self.move_cursor(PAST_ANY_END):
            self.scrolled.scroll_end(animate=False)
