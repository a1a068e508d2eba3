"""The versions of the prompt: compare them, and make one current again."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from engine.errors import DistillError
from tui.actions import Place, bindings
from tui.panes.prompt.other_drawing import draw_difference, draw_versions
from tui.panes.prompt.side_view import SIDE
from tui.panes.prompt.state import VersionsState
from tui.panes.prompt.text_view import ShowMode
from tui.services.program import Program, Result
from tui.services.prompt import VersionRow, back_to, read_counts, read_difference, read_versions
from tui.services.store import StoreFailed, StoreService
from tui.widgets.lines import format_time
from tui.widgets.listing import Listed, Listing
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller

if TYPE_CHECKING:
    from engine.prompts.compare import ComparedLine


class VersionsView(Vertical, Listed, can_focus=True):
    """The versions, and under them what changed from the chosen one to the current one."""

    place: ClassVar[Place] = "versions"
    BINDINGS: ClassVar[list[BindingType]] = bindings("versions")
    DEFAULT_CSS = "VersionsView #version-list { margin-bottom: 1; }"

    def __init__(self, store: StoreService, state: VersionsState) -> None:
        super().__init__(id="prompt-versions", classes=SIDE)
        self._store = store
        self._state = state
        self._program = Program(store.folder, store.home, self)

    def compose(self) -> ComposeResult:
        """Yield the list, which stays in place, and the comparison, which scrolls."""
        yield Page(id="version-list")
        with Scroller(id="difference", can_focus=False):
            yield Page(classes="lines")

    @property
    def choices(self) -> Listing | None:
        """The versions."""
        return Listing(
            self._state.cursor,
            self._move,
            lambda: [
                f"version {row.version} {format_time(row.created_at)} {row.note}" for row in self._state.rows or ()
            ],
        )

    def read(self) -> None:
        """Read the versions again."""
        self._state.failure = None
        self._store.ask(read_versions, self._take, self)

    def redraw(self) -> None:
        """Draw both parts at the current size, once mounted."""
        if not self.query(Page) or not self.content_size.width:
            return
        width = max(self.content_size.width - 1, 20)
        self.query_one("#version-list", Page).show(draw_versions(self._state, width, self.size.height))
        row = self._state.row
        lines = draw_difference(self._state.lines, width) if row is not None and not row.current else []
        self._difference.query_one(Page).show(lines)

    def on_resize(self) -> None:
        """Draw at the new size."""
        self.redraw()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Show why the versions could not be read."""
        self._state.failure = message.error
        self.redraw()

    def action_page_down(self) -> None:
        """Scroll down a page in the comparison."""
        self._difference.action_page_down()

    def action_page_up(self) -> None:
        """Scroll up a page in the comparison."""
        self._difference.action_page_up()

    def action_whole(self) -> None:
        """Show all lines, or only those that changed."""
        if self._state.row is not None and self._state.row.current:
            self.app.notify("This is the current version; there is nothing to compare.", timeout=3)
            return
        self._state.whole = not self._state.whole
        self._compare()

    def action_make_current(self) -> None:
        """Make this version the current one; the pane gets the result."""
        row = self._state.row
        if row is None:
            return
        if row.current:
            self.app.notify(f"Version {row.version} is already the current one.", timeout=3)
            return
        version = row.version
        self._store.post(lambda project: back_to(project, version), self)

    def action_back(self) -> None:
        """Go back to the prompt."""
        self.post_message(ShowMode("reading"))

    @property
    def _difference(self) -> Scroller:
        return self.query_one("#difference", Scroller)

    def _take(self, rows: tuple[VersionRow, ...]) -> None:
        self._state.take(rows)
        if any(row.version not in self._state.counts for row in rows):
            self._program.start("versions", ["prompt", "versions"], self._take_counts)
        self._compare()

    def _take_counts(self, result: Result) -> None:
        """Take in the exact token counts; without them the estimates stay, marked as such."""
        if not isinstance(result, DistillError):
            self._state.counts |= read_counts(result)
            self.redraw()

    def _move(self, steps: int) -> None:
        if self._state.move(steps):
            self._compare()

    def _compare(self) -> None:
        self._state.lines = None
        if (row := self._state.row) is not None and not row.current:
            version, whole = row.version, self._state.whole
            take = partial(self._take_difference, version, whole)
            self._store.ask(lambda project: read_difference(project, version, whole=whole), take, self)
        self.redraw()

    def _take_difference(self, version: int, whole: bool, lines: "tuple[ComparedLine, ...]") -> None:
        if self._state.take_difference(version, whole, lines):
            self._difference.scroll_home(animate=False)
            self.redraw()
