"""Lines on the screen, of which only the changed ones are redrawn, to send little over a slow connection.

Knows nothing of what the lines say.
"""

from collections.abc import Iterable, Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.events import Click, MouseEvent, MouseScrollDown, MouseScrollUp
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from tui.widgets.auto_height import AutoHeight
from tui.widgets.listing import ROW, go_to, holder, places

_ROWS_A_NOTCH = 3


class Page(AutoHeight):
    """Shows one row per line, at least `fill` rows; a line that is too long takes several rows.

    `cut`: lines are always drawn for the page's width, so a line that is too long is cut off until it is drawn anew.
    Breaking the lines of a long page takes a third of a second.
    """

    DEFAULT_CSS = "Page { width: 1fr; height: auto; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None, cut: bool = False) -> None:
        super().__init__(id=id, classes=classes)
        self._cut = cut
        self._lines: Sequence[Content] = ()
        self._rows: tuple[Content, ...] = ()
        self._fill = 0
        self._words = ""
        self._broken_for: tuple[Sequence[Content], int, int, str] | None = None  # lines, width, fill, words
        self._broken_rows: tuple[Content, ...] = ()

    @property
    def plain(self) -> str:
        """The text of all lines, without styles."""
        return "\n".join(line.plain for line in self._lines)

    @property
    def rows(self) -> tuple[str, ...]:
        """The text of each row, as the lines are wrapped now."""
        return tuple(row.plain for row in self._rows)

    def rows_of(self, row: int) -> range:
        """Return the lines that draw this row of a list; empty if none does."""
        drawn = [y for y, line in enumerate(self._rows) if any(_number(span.style) == row for span in line.spans)]
        return range(drawn[0], drawn[-1] + 1) if drawn else range(0)

    def mark(self, words: str) -> None:
        """Reverse these words wherever they occur; an empty string marks nothing."""
        if words != self._words:
            self._words = words
            self.show(self._lines, self._fill)

    def show(self, lines: Iterable[Content], fill: int = 0) -> None:
        """Show these lines, in at least `fill` rows."""
        self._lines, self._fill = tuple(lines), fill
        rows = self._broken(self.content_size.width)
        before, self._rows = self._rows, rows
        if len(rows) != len(before):
            self.refresh(layout=True)
            return
        width = self.size.width
        changed = [y for y, (new, old) in enumerate(zip(rows, before, strict=True)) if not new.is_same(old)]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def on_resize(self) -> None:
        """Wrap long lines at the new width."""
        self.show(self._lines, self._fill)

    def on_click(self, event: Click) -> None:
        """Go to the clicked row of a list; a click on the cursor's row opens it."""
        row, owner = event.style.meta.get(ROW), holder(self)
        if not isinstance(row, int) or owner is None or (listing := owner.listing) is None:
            return
        event.stop()
        if row == listing.at and listing.open is not None:
            listing.open()
        else:
            go_to(self, row)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move the cursor of a list that is drawn to fit; pages that scroll do so themselves."""
        self._wheel(event, _ROWS_A_NOTCH)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move the cursor up, in the same way."""
        self._wheel(event, -_ROWS_A_NOTCH)

    def _wheel(self, event: MouseEvent, rows: int) -> None:
        owner = holder(self)
        if owner is None or isinstance(owner, Page) or owner.max_scroll_y > 0 or owner.choices is None:
            return
        event.stop()
        owner.move_cursor(rows)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of rows of the wrapped lines."""
        return len(self._broken(width))

    def render(self) -> RenderResult:
        """Return all rows as one text; `render_line` draws them."""
        return Content("\n").join(self._rows)

    def render_line(self, y: int) -> Strip:
        """Draw one row; Textual keeps it until it changes."""
        width, rows = self.size.width, self._rows or (Content(""),)
        if not width or not 0 <= y < len(rows):
            return Strip.blank(width, self.visual_style.rich_style)
        row = rows[y]
        row = Content(row.plain, [span for span in row.spans if span.end > span.start])  # an empty one splits the text
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(y)) is not None:
            start, end = span
            chosen = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            row = row.stylize(chosen, start, len(row) if end < 0 else end)
        strips = Visual.to_strips(self, row, width, 1, self.visual_style, apply_selection=False)
        return strips[0].apply_offsets(0, y)  # the mouse selects by these offsets

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        """Return the selected text, and what follows it."""
        return selection.extract("\n".join(self.rows)), "\n"

    def _broken(self, width: int) -> tuple[Content, ...]:
        """The rows at this width; found once for the layout and for the drawing."""
        wanted = self._lines, width, self._fill, self._words
        if self._broken_for is None or self._broken_for[0] is not wanted[0] or self._broken_for[1:] != wanted[1:]:
            self._broken_for, self._broken_rows = wanted, self._wrapped(width)
        return self._broken_rows

    def _wrapped(self, width: int) -> tuple[Content, ...]:
        rows: list[Content] = []
        whole = self._cut or width <= 0
        for line in self._lines:
            rows += [line] if whole or (line.cell_length <= width and "\n" not in line.plain) else line.wrap(width)
        rows = [_marked(row, self._words) for row in rows] if self._words else rows
        return (*rows, *([Content("")] * (self._fill - len(rows))))


def _number(style: Style | str) -> object:
    return style.meta.get(ROW) if isinstance(style, Style) else None


def _marked(row: Content, words: str) -> Content:
    for start, end in places(row.plain, words):
        row = row.stylize("reverse", start, end)
    return row
