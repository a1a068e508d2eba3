"""The review screen: one key per decision, then the next answer. Passes keys on, and windows into the state."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.dom import DOMNode
from textual.widgets import Input

from engine.errors import DistillError
from tui.actions import Place, bindings
from tui.forms.confirm import confirm
from tui.keys import footer_actions, key_of
from tui.screens.curate.walking import WalkingScreen, in_turn, on_an_answer
from tui.screens.curate.words import WordsLine
from tui.services.program import Result
from tui.services.review import Filters, ReviewRead, ReviewRow, check_words, read_filters
from tui.services.store import StoreFailed
from tui.widgets.footer import Footer
from tui.widgets.page import Page

if TYPE_CHECKING:
    from engine.records.selection import Selection
    from tui.screens.curate.narrow import Narrowed

LOOK_EVERY_S = 1.0
_ASKS_UNCONFIRMED = 10  # more than these cost time or money that undo cannot recover
_TYPED = ("search", "note", "edit")  # they open a field


class CurateScreen(WalkingScreen):
    """The review of one project's examples."""

    place: ClassVar[Place] = "curate"
    CSS_PATH = "curate.tcss"
    AUTO_FOCUS = ""  # keys are decisions until the search is opened
    _unsaved: "tuple[ReviewRow, str] | None" = None  # an edited answer that the store has not confirmed yet
    # The field must have focus before a fast typist's next key arrives: here letters are decisions.
    BINDINGS: ClassVar[list[BindingType]] = [
        replace(binding, priority=True) if isinstance(binding, Binding) and binding.action in _TYPED else binding
        for binding in bindings("curate")
    ]

    def compose(self) -> ComposeResult:
        """The page, the input line, the footer."""
        with Container(id="body"):
            yield Page(id="review")
        yield WordsLine()
        yield Footer(footer_actions("curate"))

    def on_mount(self) -> None:
        """Read the first window."""
        self._review.read(self.state.ask())
        self.set_interval(LOOK_EVERY_S, self._look_again)

    def on_review_read(self, message: ReviewRead) -> None:
        """Store a window, and report what was done."""
        self.state.failed = False
        if self._unsaved is not None and message.edited == self._unsaved[0].id:
            self._unsaved = None
        arrived, page, now = "", message.page, time.monotonic()
        if page is None or message.looked_at not in (None, self.state.where):
            self.state.skip(message.decided, now)
        else:
            arrived = self.state.take(page, message.decided, now)
        if words := " ".join(filter(None, (message.notice, arrived))):
            self.notify(words, timeout=3)
        if self.state.lacking:
            self._review.read(self.state.ask())
        if page is not None or message.looked_at is None:  # otherwise nothing has changed
            if self.state.other_id is not None:
                self._read_attempt(self.state.other_id)
            self._draw()
        self.go_on()

    def _offer(self, filters: Filters) -> None:
        from tui.screens.curate.narrow import NarrowScreen  # rarely needed

        def go(chosen: "Narrowed | None") -> None:
            if chosen is not None:
                where = replace(self.state.where, topic=chosen.topic, rule=chosen.rule)
                self._list(self.state.list_other(where))

        if self.is_active:
            self.app.push_screen(NarrowScreen(filters.topics, filters.rules, self.state.where), go)

    def on_store_failed(self, message: StoreFailed) -> None:
        """Report why a decision failed, and read the list again, once. Keys pressed meanwhile are dropped."""
        self._waiting.clear()
        self.state.take(None, 0, time.monotonic())
        self.say_error(message.error)
        if self._unsaved is not None and self.is_active:  # what was typed is not lost
            row, text = self._unsaved
            self._unsaved = None
            self._edit(row, text)
        if not self.state.failed:  # an unreadable list would otherwise be requested forever
            self.state.failed = True
            self._review.read(self.state.ask())

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """While text is typed, only its keys apply."""
        line = self.query_one(WordsLine)
        return [(line.place, line)] if line.is_open else super().binding_chain

    def on_descendant_focus(self) -> None:
        """Show the input line's keys while text is typed."""
        self.query_one(Footer).show(footer_actions(*(place for place, _ in self.binding_chain)))

    def on_descendant_blur(self) -> None:
        """Show the review's keys again."""
        self.on_descendant_focus()

    def on_line_left(self) -> None:
        """Discard the typed text."""
        self.action_back()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Search for the text, or save it as a note."""
        line = self.query_one(WordsLine)
        line.close()
        if line.purpose == "search":
            self._list(self.state.look_for(message.value))
        else:
            self._flag(up=True, note=message.value.strip())

    @on_an_answer
    def action_accept(self) -> None:
        """Accept, and go to the next."""
        if (meant := self.state.decide("accepted")) is not None:
            self._review.accept(self.state.ask(), meant)
            self._draw()

    @on_an_answer
    def action_reject(self) -> None:
        """Reject, and go to the next."""
        if (meant := self.state.decide("rejected")) is not None:
            self._review.reject(self.state.ask(), meant)
            self._draw()

    @on_an_answer
    def action_flag(self) -> None:
        """Set flags, or remove them if the shown answer has one."""
        if (row := self.state.row) is not None:
            self._flag(up=row.note is None)

    @on_an_answer
    def action_note(self) -> None:
        """Ask for a flag's note."""
        if (row := self.state.row) is not None:
            self.query_one(WordsLine).open("note", row.note or "")

    @on_an_answer
    def action_again(self) -> None:
        """Ask the teacher again; for many answers only if the user confirms it."""
        meant, count = self.state.meant(), self.state.marked
        if meant is not None and count > _ASKS_UNCONFIRMED:
            words = "It takes time, and money if the teacher is an endpoint; undo brings back neither."
            confirm(self.app, f"Ask again for {count:,} answers?", words, "ask again", lambda: self._ask(meant))
        elif meant is not None:
            self._ask(meant)

    def _ask(self, meant: "Selection") -> None:
        if self.state.marks.any:
            self.state.begin("asked again …")
        self._review.again(self.state.ask(), meant)
        self._draw()

    @on_an_answer
    def action_mark(self) -> None:
        """Mark or unmark."""
        self.state.toggle_mark()
        self._moved()

    @on_an_answer
    def action_range(self) -> None:
        """Start or end a range of marks."""
        self.state.toggle_range()
        self._draw()

    @on_an_answer
    def action_mark_all(self) -> None:
        """Mark the whole list."""
        self.state.mark_all()
        self._draw()

    @on_an_answer
    def action_edit(self) -> None:
        """Edit the answer here."""
        from tui.panes.prompt.editor import can_hold

        if (row := self.state.row) is None:
            return
        if can_hold(row.answer):
            self._edit(row, row.answer)
        else:
            way = f"{key_of('curate.editor')} opens your editor"
            self.notify(f"The answer has unusual line breaks that the field would change: {way}.")

    @on_an_answer
    def action_editor(self) -> None:
        """Edit the answer in the user's own editor."""
        from tui.terminal.editor import edit

        if (row := self.state.row) is not None:
            self._edited(row, edit(self.app, row.answer, f"{key_of('curate.edit')} edits the answer here"))

    def _edited(self, row: ReviewRow, text: str | None) -> None:
        if text is not None:
            self._unsaved = row, text
            self._review.edit(self.state.ask(), row.id, text)

    def _edit(self, row: ReviewRow, text: str) -> None:
        from tui.screens.curate.editing import AnswerScreen  # rarely needed

        screen = AnswerScreen(row.question, row.answer, text)
        self.app.push_screen(screen, lambda edited: self._edited(row, edited))

    @in_turn
    def action_undo(self) -> None:
        """Undo the last step."""
        self._review.undo(self.state.ask(jump=True))

    @in_turn
    def action_redo(self) -> None:
        """Redo the last undone step."""
        self._review.redo(self.state.ask(jump=True))

    @in_turn
    def action_filter(self) -> None:
        """Switch to the next filter."""
        self._list(self.state.turn_filter())

    @in_turn
    def action_choose(self) -> None:
        """Filter the list by topic or failed rule."""
        where = self.state.where
        self._store.ask(lambda project: read_filters(project, where), self._offer, self)

    @on_an_answer
    def action_attempt_before(self) -> None:
        """Show the previous attempt."""
        self._turn_attempt(-1)

    @on_an_answer
    def action_attempt_after(self) -> None:
        """Show the next attempt."""
        self._turn_attempt(1)

    @on_an_answer
    def action_compare(self) -> None:
        """Show what an edit changed, or only the answer."""
        self.state.comparing = not self.state.comparing
        self.state.scroll = 0
        row = self.state.row
        if self.state.comparing and row is not None and row.answer == row.generated:
            self.notify("Only edited answers can be compared; this one is unchanged.")
        self._draw()

    @on_an_answer
    def action_whole(self) -> None:
        """Show the answer on the whole page, or restore the list."""
        self.state.whole = not self.state.whole
        self._draw()

    @on_an_answer
    def action_copy(self) -> None:
        """Copy the shown answer."""
        if (row := self.state.row) is not None:
            self.app.copy_to_clipboard(row.answer)

    @in_turn
    def action_check(self) -> None:
        """Let the rules decide everything no person has decided, in all lists; decisions made here do not wait."""
        if self.state.page is None or not self.state.page.counts.total:
            self.say_nothing_listed()
        elif not self.state.checking:
            self.state.checking = True
            self._program.start("check", ["curate", "check"], self._checked, check_words)
            self._draw()

    def _checked(self, result: Result) -> None:
        self.state.checking = False
        if isinstance(result, DistillError):
            self.say_error(result)
        else:
            self.notify(check_words(result), timeout=3)
        self._review.read(self.state.ask())

    def action_search(self) -> None:
        """Open the search."""
        self.query_one(WordsLine).open("search", self.state.where.search)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys that open the input line are letters while it is open."""
        return action not in _TYPED or not self.query_one(WordsLine).is_open

    @in_turn
    def action_back(self) -> None:
        """Close what was opened last: the field, the marks, another attempt, the whole page, the search."""
        state, line = self.state, self.query_one(WordsLine)
        if line.is_open:
            line.close()
        elif state.marks.any:
            state.marks.clear()
        elif state.other_id is not None:
            state.other_id = state.other = None
        elif state.whole:
            state.whole = False
        elif (stay := state.leave_search()) is not None:
            self._list(stay)
        else:
            self.dismiss()
            return
        self._draw()

    def _flag(self, *, up: bool, note: str = "") -> None:
        if (meant := self.state.meant()) is None:
            return
        if self.state.marks.any:
            self.state.begin("flags …")
        self._review.flag(self.state.ask(), meant, up=up, note=note)
        self._draw()

    def _list(self, stay_at: int) -> None:
        """Read a new list, and stay at one of its examples."""
        self._review.read(self.state.ask(jump=True), stay_at or None)
        self._draw()

    def _look_again(self) -> None:
        """Read the list again if it has changed: answers arrive, and others may decide in another terminal."""
        page, listed = self.state.page, self.state.listed
        if page is not None and self.state.awaited == 0 and not self.state.failed:
            self._review.look(self.state.ask(), listed.id if listed is not None else 0, page.version)
