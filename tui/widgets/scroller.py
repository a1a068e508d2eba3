"""Lines that scroll by the same keys everywhere. Knows nothing of what they say."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tui.widgets.listing import Listed, Listing
from tui.widgets.page import Page


class Scroller(VerticalScroll, Listed, can_focus=True):
    """One scrolling page. Carries the actions of `MOVES`. Without a list on it, its rows are what is looked through."""

    DEFAULT_CSS = "Scroller { scrollbar-size-vertical: 1; }"

    _at_end = True

    def compose(self) -> ComposeResult:
        """The page."""
        yield Page(classes="lines")

    @property
    def line_width(self) -> int:
        """Cells of a line: as many with a scrollbar as without, and a blank one before it."""
        return max(self.scrollable_content_region.width - (1 if self.show_vertical_scrollbar else 2), 16)

    @property
    def listing(self) -> Listing | None:
        """The rows of the page, once it is there; to go to one is to scroll there."""
        top, height = round(self.scroll_offset.y), self.size.height

        def go(row: int) -> None:
            if not top <= row < top + height - 1:
                self.scroll_to(y=max(row - height // 3, 0), animate=False, immediate=True)

        return next((Listing(page.rows, top, go) for page in self.query(".lines").results(Page)), None)

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Nothing looks otherwise by that. Textual (8.2.8) would style every widget within anew, which a key feels."""

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Remember whether the end is in sight: a window that shrinks moves it away, and a person did not."""
        super().watch_scroll_y(old_value, new_value)
        self._at_end = new_value >= self.max_scroll_y

    def stay_at_end(self) -> None:
        """To be called when other lines were shown: their end is in sight where the end was in sight before.

        It is, in the very frame that draws them: were the page moved after it, it would go over the line twice.
        """
        if not self._at_end:
            return
        for page in self.query(".lines").results(Page):
            if page.size.height and (grown := len(page.rows) - page.size.height):
                fits = len(page.rows) < self.container_size.height  # as in a window that has grown
                end = 0 if fits else max(self.max_scroll_y + grown, 0)
                self.set_scroll(None, end)
                self.vertical_scrollbar.position = end
        self.call_after_refresh(self.scroll_end, animate=False)

    def action_line_down(self) -> None:
        """Scroll a line down."""
        self.scroll_down(animate=False)

    def action_line_up(self) -> None:
        """Scroll a line up."""
        self.scroll_up(animate=False)

    def action_page_down(self) -> None:
        """Scroll a page down."""
        self.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll a page up."""
        self.scroll_page_up(animate=False)

    def action_first(self) -> None:
        """Scroll to the beginning."""
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        """Scroll to the end."""
        self.scroll_end(animate=False)
