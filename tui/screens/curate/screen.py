"""The review screen: one key a decision, the next answer at once. Passes keys on, and windows into the state."""

import time
from typing import ClassVar

from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import Input, Static

from engine.clean import clean_text
from engine.errors import UsageError
from tui.actions import Place, bindings, footer_actions
from tui.screens.curate.drawing import draw
from tui.screens.curate.state import ReviewState
from tui.screens.placed import PlacedScreen
from tui.services.editor import edit_text
from tui.services.review import ReviewRead, ReviewService
from tui.services.store import StoreFailed, StoreService
from tui.widgets.footer import Footer
from tui.widgets.lines import page


class CurateScreen(PlacedScreen[None]):
    """The examples of one project under a person's eyes."""

    place: ClassVar[Place] = "curate"
    CSS_PATH = "curate.tcss"
    AUTO_FOCUS = ""  # keys are decisions until a person asks for the search
    BINDINGS: ClassVar[list[BindingType]] = bindings("curate")

    def __init__(self, store: StoreService) -> None:
        super().__init__()
        self.state = ReviewState()
        self._review = ReviewService(store, self)

    def compose(self) -> ComposeResult:
        """The page, a line for words to look for, the footer."""
        with Container(id="body"):
            yield Static(id="review")
        yield Input(id="search", placeholder="words to look for in questions and answers; empty lists all")
        yield Footer(footer_actions("curate"))

    def on_mount(self) -> None:
        """Begin with the first window."""
        self.query_one("#search").display = False
        self._review.read(self.state.ask())

    def on_review_read(self, message: ReviewRead) -> None:
        """Take in a window, and say what was done."""
        self.state.take(message.page, message.decided, time.monotonic())
        if message.said:
            self.notify(message.said, markup=False, timeout=3)
        self._draw()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Say why a decision was not taken; the list is read anew."""
        error = message.error
        self.state.take(None, 0, time.monotonic())
        self.notify(
            clean_text(f"{error.message}\n{error.next}".strip()), title=clean_text(error.title), severity="error",
            markup=False,
        )  # fmt: skip
        self._review.read(self.state.ask())

    def on_resize(self) -> None:
        """The page is drawn for its size."""
        self._draw()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """List what holds the words."""
        self.state.look_for(message.value)
        self._close_search()
        self._review.read(self.state.ask())

    def action_row_down(self) -> None:
        """The next answer."""
        self._move(1)

    def action_row_up(self) -> None:
        """The answer before."""
        self._move(-1)

    def action_rows_down(self) -> None:
        """Ten answers on."""
        self._move(10)

    def action_rows_up(self) -> None:
        """Ten answers back."""
        self._move(-10)

    def action_first(self) -> None:
        """The first answer."""
        self._move(-self.state.total)

    def action_last(self) -> None:
        """The last answer."""
        self._move(self.state.total)

    def action_accept(self) -> None:
        """Accept, and go on."""
        if (example_id := self.state.decide("accepted")) is not None:
            self._review.accept(self.state.ask(), example_id)
            self._draw()

    def action_reject(self) -> None:
        """Reject, and go on."""
        if (example_id := self.state.decide("rejected")) is not None:
            self._review.reject(self.state.ask(), example_id)
            self._draw()

    def action_edit(self) -> None:
        """Change the answer in a real editor."""
        row = self.state.row
        if row is None:
            return
        try:
            with self.app.suspend():
                text = edit_text(row.answer)
        except SuspendNotSupported:
            self.notify("This terminal cannot be lent to an editor: distill-tui curate edit does it.", markup=False)
            return
        except UsageError as error:
            self.notify(clean_text(error.message), title=error.title, severity="error", markup=False)
            return
        if text is not None:
            self._review.edit(self.state.ask(), row.id, text)

    def action_undo(self) -> None:
        """Take back the last step."""
        self._review.undo(self.state.ask())

    def action_redo(self) -> None:
        """Decide again what was taken back."""
        self._review.redo(self.state.ask())

    def action_next_undecided(self) -> None:
        """Go to what nobody decided."""
        row = self.state.row
        self._review.next_undecided(self.state.ask(), row.id if row is not None else 0)

    def action_filter(self) -> None:
        """List another kind."""
        self.state.turn_filter()
        self._review.read(self.state.ask())

    def action_check(self) -> None:
        """Let the rules decide what no person decided."""
        self._review.check(self.state.ask())

    def action_search(self) -> None:
        """Ask for words to look for."""
        search = self.query_one("#search", Input)
        search.value = self.state.where.search
        search.display = True
        search.focus()

    def action_back(self) -> None:
        """Close the search, or go back to the stations."""
        if self.query_one("#search").display:
            self._close_search()
        else:
            self.dismiss()

    def _close_search(self) -> None:
        self.query_one("#search").display = False
        self.set_focus(None)

    def _move(self, steps: int) -> None:
        if self.state.move(steps):
            self._review.read(self.state.ask())
        self._draw()

    def _draw(self) -> None:
        body = self.query_one("#body")
        width, height = max(body.size.width - 2, 20), max(body.size.height, 8)
        self.query_one("#review", Static).update(page(draw(self.state, width, height)))
