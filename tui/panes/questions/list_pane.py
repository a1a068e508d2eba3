"""The list of questions: its cursor, marks, filters and search.

Passes keys and messages to the state; changes to questions are made by the pane that inherits it.
"""

from collections.abc import Callable

from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.content import Content
from textual.dom import DOMNode
from textual.widgets import Input

from tui.actions import ACTIONS, Place
from tui.keys import key_of
from tui.panes.pane import Pane
from tui.panes.questions.drawing import draw
from tui.panes.questions.state import QuestionsState
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.questions import QuestionsPage, TopicCounts, read_page
from tui.services.store import StoreService
from tui.widgets.line import Line
from tui.widgets.listing import Listing

_NOT_PREVIEWED = {action.id for place in ("questions", "twins") for action in ACTIONS[place]} - {
    action.id for action in ACTIONS["preview"]
}


class QuestionList(Pane):
    """The list, without what changes questions."""

    DEFAULT_CSS = """
    QuestionList #question-search { dock: bottom; height: 1; border: none; padding: 0 1; background: $surface; }
    """

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = QuestionsState()
        self._search = Line("words in the question; empty lists all", id="question-search")
        self._search.display = False  # until the user searches

    def compose(self) -> ComposeResult:
        """Yield the page, and a line for search words."""
        yield from super().compose()
        yield self._search

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """The questions and their answers."""
        return (facts.questions, facts.topics, facts.examples.total, facts.prompt_version)

    def read(self) -> None:
        """Read the list, and the topics if they are shown."""
        self._read()
        if self.state.mode == "topics":
            self._read_topics()

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """Return the active places: only the search line while typing, only the preview while one is shown."""
        if self.state.previewed:
            return [("preview", self)]
        if self.state.mode == "twins":
            return [("twins", self), *super().binding_chain]
        return [(self._search.place, self._search)] if self._search.has_focus else super().binding_chain

    @property
    def unavailable(self) -> frozenset[str]:
        """Storing, if there is nothing to store or something is in progress; going back, from the whole list."""
        store = frozenset() if self.state.can_store else frozenset({"preview.take"})
        return store if self.state.is_over else store | {"questions.back"}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a preview is shown, allow only storing it or going back."""
        if self.state.previewed:
            return action not in _NOT_PREVIEWED
        return action != "leave_preview" and (action != "leave_twins" or self.state.mode == "twins")

    @property
    def view(self) -> View | None:
        """Return the pane's view, one line shorter while the search line is shown."""
        view = super().view
        if view is None or not self._search.display:
            return view
        return View(view.facts, view.job, view.width, view.height - 1)

    def draw(self, view: View) -> list[Content]:
        """Draw the lines of this pane."""
        return draw(view, self.state)

    @property
    def choices(self) -> Listing | None:
        """Return the rows of the view; the store searches the list itself."""
        state = self.state
        match state.mode:
            case "list":
                return Listing(state.where.cursor, self._move)
            case "topics":
                return Listing(state.topic_at, self._move, lambda: [topic.topic for topic in state.topics or ()])
            case "twins":
                return Listing(
                    state.pair_at,
                    self._move,
                    lambda: [f"{pair.kept.text}\n{pair.dropped.text}" for pair in state.pairs],
                )
            case _:
                return None

    def on_input_changed(self, message: Input.Changed) -> None:
        """Search as the user types."""
        self.state.look_for(message.value)
        self._read()

    def on_input_submitted(self) -> None:
        """Go back to the list, which stays filtered."""
        self._close_search()

    def on_line_left(self) -> None:
        """Go back to the list as before the search."""
        self.action_back()

    def action_search(self) -> None:
        """Ask for search words for the list; other views use the search of every page."""
        if self.state.mode != "list":
            raise SkipAction
        self.state.begin_search()
        with self.prevent(Input.Changed):
            self._search.value = self.state.where.listed.search
        self._search.display = True
        self._search.focus()
        self.redraw()

    def action_found_next(self) -> None:
        """Go to the next match: during a search, every row in the list is one."""
        self._go_to_found(1)

    def action_found_before(self) -> None:
        """Go to the previous match."""
        self._go_to_found(-1)

    def action_filter(self) -> None:
        """List another split."""
        self.state.mode = "list"
        self.state.turn_filter()
        self._read()

    def action_topics(self) -> None:
        """Show the topics."""
        if self.state.all:
            self.state.mode = "topics"
            self._read_topics()
            self.redraw()

    def action_mark(self) -> None:
        """Mark the row and go on."""
        self.state.mark()
        self._move(0)

    def action_range(self) -> None:
        """Start a range, or mark what is in it."""
        ranged = self.state.range
        if ranged is not None:
            self._read_ids(ranged.start, len(ranged), self._mark_all)
        elif self.state.mode == "list" and self.state.total:
            self.state.range_from = self.state.where.cursor
        self.redraw()

    def action_mark_all(self) -> None:
        """Mark all that is listed."""
        if self.state.mode == "twins":
            self.state.mark_all([pair.dropped.id for pair in self.state.pairs])
        elif self.state.mode == "list":
            self._read_ids(0, None, self._mark_all)
        self.redraw()

    def action_back(self) -> None:
        """Go one step back."""
        if self._search.display:
            if self.state.end_search():
                self._read()
            self._close_search()
        elif self.state.back():
            self._read()
        self.redraw()

    action_leave_preview = action_leave_twins = action_back

    def _read(self) -> None:
        where, asked = self.state.where, self.state.ask()
        self.store.ask(lambda project: read_page(project, where), lambda page: self._take(page, asked), self)

    def _take(self, page: QuestionsPage, asked: int) -> None:
        self.state.take(page, asked)
        self.redraw()

    def _read_topics(self) -> None:
        self.store.ask(lambda project: project.questions.topic_splits(), self._take_topics, self)

    def _take_topics(self, topics: tuple[TopicCounts, ...]) -> None:
        self.state.take_topics(topics)
        self.redraw()

    def _read_ids(self, offset: int, limit: int | None, then: Callable[[tuple[int, ...]], None]) -> None:
        """Read the ids of a part of the list."""
        listed = self.state.where.listed
        self.store.ask(lambda project: project.questions.ids(listed, offset, limit), then, self)

    def _mark_all(self, ids: tuple[int, ...]) -> None:
        self.state.mark_all(ids)
        self.redraw()

    def _move(self, steps: int) -> None:
        if self.state.move(steps):
            self._read()
        self.redraw()

    def _go_to_found(self, steps: int) -> None:
        if self.state.where.listed.search:
            self._move(steps)
        else:
            self.notify(f"No search is active; {key_of('questions.search')} starts one.")

    def _close_search(self) -> None:
        self._search.display = False
        self.focus()
        self.redraw()
