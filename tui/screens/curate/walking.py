"""Navigation in the review: between answers, within a long one, and how list and answer share the page.

Knows the list and its cursor; nothing of decisions.
"""

from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from tui.keys import key_of
from tui.screens.curate.drawing import draw, nothing_text
from tui.screens.curate.state import ReviewState
from tui.services.program import Program
from tui.services.review import ReviewRow, ReviewService, read_attempt
from tui.services.store import StoreService
from tui.widgets.listing import Listed, Listing
from tui.widgets.page import Page
from tui.widgets.placed import PlacedScreen
from tui.widgets.shares import Divided, Shares

Walking = TypeVar("Walking", bound="WalkingScreen")


def in_turn(action: Callable[[Walking], None]) -> Callable[[Walking], None]:
    """An action that keeps its place among the keys pressed before it, some of which may still wait for an answer.

    A key that arrives after its screen was covered, as on a slow line, does nothing.
    """

    @wraps(action)
    def acted(screen: Walking) -> None:
        screen.do_in_turn(lambda: action(screen))

    return acted


def in_the_list(action: Callable[[Walking], None], *, answer: bool = False) -> Callable[[Walking], None]:
    """An action in turn; if nothing is listed, it says why and what to do next. With `answer`, it needs the answer."""

    def act(screen: Walking) -> None:
        if screen.state.total:
            action(screen)
        else:
            screen.say_nothing_listed()

    @wraps(action)
    def acted(screen: Walking) -> None:
        screen.do_in_turn(lambda: act(screen), answer=answer)

    return acted


def on_an_answer(action: Callable[[Walking], None]) -> Callable[[Walking], None]:
    """An action in turn on the answer under the cursor; it waits until that is known."""
    return in_the_list(action, answer=True)


class WalkingScreen(Divided, PlacedScreen[None], Listed):
    """The list with the answer under its cursor."""

    def __init__(self, store: StoreService, shares: Shares) -> None:
        super().__init__()
        self.state = ReviewState(shares=shares)
        self._store = store
        self._program = Program(store.folder, store.home, self)
        self._review = ReviewService(store, self)
        self._waiting: deque[tuple[Callable[[], None], bool]] = deque()  # keys, and whether they need an answer

    def do_in_turn(self, act: Callable[[], None], *, answer: bool = False) -> None:
        """Do this as soon as all earlier keys are done and the cursor, or with `answer` the answer there, is known."""
        self._waiting.append((act, answer))
        self.go_on()

    def go_on(self) -> None:
        """Do what waits, as far as possible; nothing while another screen covers this one."""
        if not self.is_active:
            self._waiting.clear()
        while self._waiting and not self.state.unknown(answer=self._waiting[0][1]):
            (act, _), before = self._waiting.popleft(), self.binding_chain
            act()
            if not self.is_active or self.binding_chain != before:  # a field has opened: the rest was typed for it
                self._waiting.clear()

    @property
    def choices(self) -> Listing | None:
        """The answers; the list has its own search."""
        return Listing(self.state.where.cursor, self._move)

    def say_nothing_listed(self) -> None:
        """Say why no answer is listed, and what to do next."""
        self.notify(nothing_text(self.state), timeout=4)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def move_divider(self, steps: int) -> bool:
        """Move the divider between list and answer, unless the answer fills the page."""
        if not self.state.total:
            self.say_nothing_listed()
            return False
        if self.state.whole:
            self.notify(f"The answer fills the page; {key_of('curate.whole')} restores the list.")
            return False
        self.post_message(self.state.shares.move("review", steps))
        self._draw()
        return True

    @in_the_list
    def action_row_down(self) -> None:
        """Go to the next answer."""
        self._move(1)

    @in_the_list
    def action_row_up(self) -> None:
        """Go to the previous answer."""
        self._move(-1)

    @in_the_list
    def action_rows_down(self) -> None:
        """Go ten answers down."""
        self._move(10)

    @in_the_list
    def action_rows_up(self) -> None:
        """Go ten answers up."""
        self._move(-10)

    @in_the_list
    def action_first(self) -> None:
        """Go to the first answer."""
        self._move(-self.state.total)

    @in_the_list
    def action_last(self) -> None:
        """Go to the last answer."""
        self._move(self.state.total)

    @in_the_list
    def action_next_undecided(self) -> None:
        """Go to the next undecided answer."""
        self._find_undecided(backwards=False)

    @in_the_list
    def action_previous_undecided(self) -> None:
        """Go to the previous undecided answer."""
        self._find_undecided(backwards=True)

    @on_an_answer
    def action_answer_down(self) -> None:
        """Scroll down in the answer."""
        self._scroll(1)

    @on_an_answer
    def action_answer_up(self) -> None:
        """Scroll up in the answer."""
        self._scroll(-1)

    def _find_undecided(self, *, backwards: bool) -> None:
        row = self.state.listed
        self._review.next_undecided(self.state.ask(jump=True), row.id if row is not None else 0, backwards=backwards)

    def _move(self, steps: int) -> None:
        self.state.move(steps)
        self._moved()

    def _moved(self) -> None:
        """Draw at the cursor, reading what is there if needed."""
        if self.state.total > 0 and self.state.listed is None:
            self._review.read(self.state.ask())
        self._draw()

    def _turn_attempt(self, steps: int) -> None:
        number = self.state.turn_attempt(steps)
        if number is not None:
            self._read_attempt(number)
        else:
            self._draw()

    def _read_attempt(self, number: int) -> None:
        self._store.ask(lambda project: read_attempt(project, number), self._show_attempt, self)

    def _show_attempt(self, row: ReviewRow) -> None:
        self.state.show_attempt(row)
        self._draw()
        self.go_on()

    def _scroll(self, pages: int) -> None:
        self.state.scroll += pages * max(self.query_one("#body").size.height // 3, 3)
        self._draw()

    def _draw(self) -> None:
        body = self.query_one("#body")
        drawn = draw(self.state, max(body.size.width - 2, 20), max(body.size.height, 8))
        self.state.scroll = drawn.scroll
        self.query_one("#review", Page).show(drawn.lines)
