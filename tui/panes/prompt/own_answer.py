"""Test the rules on an answer of the user's own, as it is typed. Knows nothing of the other views."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.timer import Timer

from engine.records.rule import CheckResult, Rule
from tui.actions import Place, bindings
from tui.panes.prompt.editor import FIGURES_AFTER_S, DocumentArea
from tui.panes.prompt.other_drawing import draw_own_answer, draw_own_title
from tui.panes.prompt.side_view import SIDE
from tui.panes.prompt.state import OwnAnswerState
from tui.panes.prompt.text_view import ShowMode
from tui.services.prompt import check_own_answer
from tui.services.store import StoreFailed, StoreService
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller


class _AnswerArea(DocumentArea):
    """The field for the answer."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the paging keys to the results below: an answer is short, and rules may be many."""
        return action not in ("cursor_page_down", "cursor_page_up")


class OwnAnswerView(Vertical):
    """A field for an answer, and each rule's result as it is typed."""

    place: ClassVar[Place] = "testing"
    BINDINGS: ClassVar[list[BindingType]] = bindings("testing")
    DEFAULT_CSS = """
    OwnAnswerView DocumentArea { height: 2fr; margin-bottom: 1; }
    OwnAnswerView Scroller { height: 3fr; }
    """

    def __init__(self, store: StoreService, state: OwnAnswerState) -> None:
        super().__init__(id="prompt-testing", classes=SIDE)
        self._store = store
        self._state = state
        self._waiting: Timer | None = None

    def compose(self) -> ComposeResult:
        """Yield the title, the field, and the results."""
        yield Page(classes="title")
        yield _AnswerArea(placeholder="An answer that the model might give.")
        with Scroller(can_focus=False):
            yield Page(classes="lines")

    def begin(self) -> None:
        """Check again, because the rules may have changed, and take the focus."""
        self.query_one(DocumentArea).focus()
        self._check()

    def redraw(self) -> None:
        """Draw at the current size, once mounted."""
        if not self.content_size.width:
            return
        width = max(self.content_size.width - 1, 20)
        self.query_one(".title", Page).show(draw_own_title(self._state, width))
        self.query_one(".lines", Page).show(draw_own_answer(self._state, width))

    def on_resize(self) -> None:
        """Draw at the new size."""
        self.redraw()

    def on_text_area_changed(self) -> None:
        """Check when typing pauses."""
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = self.set_timer(FIGURES_AFTER_S, self._check)

    def on_store_failed(self, message: StoreFailed) -> None:
        """Show why the answer could not be checked; the next change checks again."""
        self._state.failure = message.error
        self.redraw()

    def action_back(self) -> None:
        """Go back to the rules."""
        self.post_message(ShowMode("reading", "rules"))

    def action_findings_down(self) -> None:
        """Scroll down in the results."""
        self.query_one(Scroller).action_page_down()

    def action_findings_up(self) -> None:
        """Scroll up in the results."""
        self.query_one(Scroller).action_page_up()

    def _check(self) -> None:
        text = self._state.text = self.query_one(DocumentArea).text
        self._state.results = self._state.failure = None

        def checked(found: tuple[tuple[Rule, ...], tuple[CheckResult, ...]]) -> None:
            if text == self._state.text:  # nothing was typed meanwhile
                self._state.rules, self._state.results = found
                self.redraw()

        if text.strip():
            self._store.ask(lambda project: check_own_answer(project, text), checked, self)
        self.redraw()
