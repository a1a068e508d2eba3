"""Looks for words in whatever list or page the shown pane has: `/` begins, enter keeps, n N go on, esc restores.

Knows rows that can be gone to, and nothing of what they are. While the words are typed the first row that holds them is
gone to; a person who then walks away with other keys stays where they are when the search ends.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.dom import DOMNode
from textual.widget import Widget
from textual.widgets import Input

from tui.actions import TYPED, Place, bindings
from tui.widgets.footer import KeysChanged
from tui.widgets.line import Entry
from tui.widgets.lines import DIM, WARN, right
from tui.widgets.listing import Listed, from_here, matching
from tui.widgets.page import Page
from tui.widgets.placed import PlacedScreen

_COUNT = 16  # cells


class SearchLine(Horizontal):
    """A line at the foot of the pane, there as long as a search is on."""

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
        self._listed: Listed | None = None  # what is looked through; None: no search is on
        self._before: Widget | None = None  # what had the keys
        self._origin = (0, 0)  # the row, and how far the page was scrolled
        self._found: int | None = None
        self._went = 0  # where the cursor was put last: elsewhere, and the person has walked away

    def compose(self) -> ComposeResult:
        """The words, and how many rows hold them."""
        yield Entry(placeholder="words to look for", compact=True, select_on_focus=False)
        yield Page()

    @property
    def typing(self) -> bool:
        """Whether words are typed now."""
        return self.on and self._input.has_focus

    @property
    def on(self) -> bool:
        """Whether a search is on: in something that is still there."""
        listed = self._listed
        return listed is not None and listed.is_attached and listed.is_on_screen and listed.display

    def begin(self, listed: Listed) -> None:
        """Ask for words to look for in these rows."""
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
        self.screen.set_focus(self._input)  # at once: the next key is a letter already

    def go_on(self, step: int) -> None:
        """The next row that holds the words, or the one before."""
        listed = self._listed
        if listed is None or (listing := listed.listing) is None:
            return
        walked = listing.at != self._went or self._found is None
        self._go_from((listing.at if walked else self._found or 0) + step, step)

    def end(self) -> None:
        """The search is over; the person stays where they are."""
        self._mark("")
        self._listed = self._found = None
        self.remove_class("-on")
        self.post_message(KeysChanged())

    def on_input_changed(self, message: Input.Changed) -> None:
        """Go to the first row that holds what is typed so far, from where the person was."""
        message.stop()
        self._mark(message.value)
        if message.value:
            self._go_from(self._origin[0], 1)
        else:
            self._count.show([])
            self._restore()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter, while the field has it."""
        message.stop()
        self.action_take()

    def action_take(self) -> None:
        """Keep the place; n and N go on from there."""
        empty = not self._input.value
        self._give_keys_back()
        if empty:
            self.end()

    def action_leave(self) -> None:
        """Restore the place, unless the person walked away from what was found."""
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
            self._count.show([Content.styled(right("✗ nothing", _COUNT - 1), WARN)])
            self._restore()
            return
        said = f"{rows.index(self._found) + 1:,} of {len(rows):,}"
        self._count.show([Content.styled(right(said, _COUNT - 1), DIM)])
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
    """A screen with a search line, whose carriers are looked through."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("found")

    def searched(self, carriers: list[tuple[Place, DOMNode]]) -> list[tuple[Place, DOMNode]]:
        """These carriers, with those of a search that is on before them."""
        for line in self.query(SearchLine):
            if line.typing:
                return [(line.place, line)]
            if line.on and carriers and carriers[0][0] not in TYPED:
                return [("found", self), *carriers]
        return carriers

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What a search found is gone through while one is on, and where a letter is no letter."""
        return not action.startswith("found_") or self.carriers[0][0] == "found"

    def action_search(self) -> None:
        """Look for words in what is shown."""
        listed = next((node for _, node in self.carriers if isinstance(node, Listed)), None)
        if listed is not None:
            self.query_one(SearchLine).begin(listed)

    def action_found_next(self) -> None:
        """The next that was found."""
        self.query_one(SearchLine).go_on(1)

    def action_found_before(self) -> None:
        """The one before."""
        self.query_one(SearchLine).go_on(-1)

    def action_found_leave(self) -> None:
        """End the search."""
        self.query_one(SearchLine).action_leave()
