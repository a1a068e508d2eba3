"""Searches the list or page of the shown pane: `/` starts, enter keeps the place, n N continue, esc restores it.

Knows selectable rows, but not what they are. While typing, the cursor goes to the first matching row;
if it is then moved with other keys, it stays there when the search ends.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.dom import DOMNode
from textual.widget import Widget
from textual.widgets import Input

from tui.actions import TEXT_PLACES, Place, bindings
from tui.widgets.footer import KeysChanged
from tui.widgets.line import Entry
from tui.widgets.lines import DIM, WARN, right
from tui.widgets.listing import Listed, from_here, matching
from tui.widgets.page import Page
from tui.widgets.placed import PlacedScreen

_COUNT = 16  # cells


class SearchLine(Horizontal):
    """A line at the bottom of the pane, shown during a search."""

    place: ClassVar[Place] = "searching"
    BINDINGS: ClassVar[list[BindingType]] = bindings("searching")
    DEFAULT_CSS = """
    SearchLine { height: 1; background: $surface; display: none; }
    SearchLine.-on { display: block; }
    SearchLine Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $surface; }
    SearchLine Page { width: 16; height: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._listed: Listed | None = None  # what is searched; None: no search
        self._before: Widget | None = None  # what had focus
        self._origin = (0, 0)  # the row and scroll position at the start
        self._found: int | None = None
        self._went = 0  # where the search last put the cursor; if it is elsewhere, the user moved it

    def compose(self) -> ComposeResult:
        """The text, and the number of matching rows."""
        yield Entry(placeholder="search", compact=True, select_on_focus=False)
        yield Page()

    @property
    def typing(self) -> bool:
        """Whether text is being typed."""
        return self.on and self._input.has_focus

    @property
    def on(self) -> bool:
        """Whether a search is active, in something still shown."""
        listed = self._listed
        return listed is not None and listed.is_attached and listed.is_on_screen and listed.display

    def begin(self, listed: Listed) -> None:
        """Open the search on these rows."""
        if (listing := listed.listing) is None:
            return
        self.end()
        self._listed, self._before = listed, self.screen.focused
        self._origin = (listing.at, round(listed.scroll_offset.y))
        self._went = listing.at
        self.add_class("-on")
        with self.prevent(Input.Changed):
            self._input.clear()
        self._count.show([])
        self.screen.set_focus(self._input)  # at once: the next key is already a letter

    def go_on(self, step: int) -> None:
        """Go to the next or previous match."""
        listed = self._listed
        if listed is None or (listing := listed.listing) is None:
            return
        walked = listing.at != self._went or self._found is None
        self._go_from((listing.at if walked else self._found or 0) + step, step)

    def end(self) -> None:
        """End the search without moving."""
        self._mark("")
        self._listed = self._found = None
        self.remove_class("-on")
        self.post_message(KeysChanged())

    def on_input_changed(self, message: Input.Changed) -> None:
        """Go to the first match of the text so far, from the starting row."""
        message.stop()
        self._mark(message.value)
        if message.value:
            self._go_from(self._origin[0], 1)
        else:
            self._count.show([])
            self._restore()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter, while the field has focus."""
        message.stop()
        self.action_take()

    def action_take(self) -> None:
        """Keep the place; n and N continue from there."""
        empty = not self._input.value
        self._give_keys_back()
        if empty:
            self.end()

    def action_leave(self) -> None:
        """Restore the starting place, unless the user moved away from the match."""
        listing = self._listed.listing if self._listed is not None else None
        if listing is not None and listing.at == self._went:
            self._restore()
        if self._input.has_focus:
            self._give_keys_back()
        self.end()

    def _go_from(self, at: int, step: int) -> None:
        listed = self._listed
        if listed is None or (listing := listed.listing) is None:
            return
        rows = matching(listing.texts(), self._input.value)
        self._found = from_here(rows, at, step)
        if self._found is None:
            self._count.show([Content.styled(right("no match", _COUNT - 1), WARN)])
            self._restore()
            return
        position = f"{rows.index(self._found) + 1:,} of {len(rows):,}"
        self._count.show([Content.styled(right(position, _COUNT - 1), DIM)])
        listed.go(self._found)
        self._note()

    def _restore(self) -> None:
        row, scrolled = self._origin
        if self._listed is not None:
            self._listed.go(row)
            self._listed.scroll_to(y=scrolled, animate=False, immediate=True)
            self._note()

    def _note(self) -> None:
        listing = self._listed.listing if self._listed is not None else None
        self._went = listing.at if listing is not None else 0

    def _mark(self, words: str) -> None:
        if self._listed is not None:
            for page in self._listed.query(Page):
                page.mark(words)

    def _give_keys_back(self) -> None:
        if self._before is not None and self._before.is_attached:
            self.screen.set_focus(self._before)

    @property
    def _input(self) -> Input:
        return self.query_one(Input)

    @property
    def _count(self) -> Page:
        return self.query_one(Page)


class SearchingScreen(PlacedScreen[None]):
    """A screen with a search line."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("found")

    def searched(self, binding_chain: list[tuple[Place, DOMNode]]) -> list[tuple[Place, DOMNode]]:
        """Return the binding chain, preceded by the place of an active search."""
        for line in self.query(SearchLine):
            if line.typing:
                return [(line.place, line)]
            if line.on and binding_chain and binding_chain[0][0] not in TEXT_PLACES:
                return [("found", self), *binding_chain]
        return binding_chain

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Matches can be stepped through during a search, except while text is typed."""
        return not action.startswith("found_") or self.binding_chain[0][0] == "found"

    def action_search(self) -> None:
        """Search what is shown."""
        listed = next((node for _, node in self.binding_chain if isinstance(node, Listed)), None)
        if listed is not None:
            self.query_one(SearchLine).begin(listed)

    def action_found_next(self) -> None:
        """Go to the next match."""
        self.query_one(SearchLine).go_on(1)

    def action_found_before(self) -> None:
        """Go to the previous match."""
        self.query_one(SearchLine).go_on(-1)

    def action_found_leave(self) -> None:
        """End the search."""
        self.query_one(SearchLine).action_leave()
