"""The review screen: one key a decision, the next answer at once. Passes keys on, and windows into the state."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.dom import DOMNode
from textual.widgets import Input

from tui.actions import Place, bindings
from tui.keys import footer_actions, key_of
from tui.screens.curate.walking import WalkingScreen, on_an_answer
from tui.screens.curate.words import WordsLine
from tui.services.program import CommandEnded
from tui.services.review import AttemptRead, FiltersRead, ReviewRead
from tui.services.store import StoreFailed
from tui.widgets.footer import Footer
from tui.widgets.page import Page

if TYPE_CHECKING:
    from tui.screens.curate.narrow import Narrowed

LOOK_EVERY_S = 1.0
_TYPED = ("search", "note")  # they open the line for words


class CurateScreen(WalkingScreen):
    """The examples of one project under a person's eyes."""

    place: ClassVar[Place] = "curate"
    CSS_PATH = "curate.tcss"
    AUTO_FOCUS = ""  # keys are decisions until a person asks for the search
    # The field must have the focus before the next key of a fast typist arrives: here letters are decisions.
    BINDINGS: ClassVar[list[BindingType]] = [
        replace(binding, priority=True) if isinstance(binding, Binding) and binding.action in _TYPED else binding
        for binding in bindings("curate")
    ]

    def compose(self) -> ComposeResult:
        """The page, a line for words to look for, the footer."""
        with Container(id="body"):
            yield Page(id="review")
        yield WordsLine()
        yield Footer(footer_actions("curate"))

    def on_mount(self) -> None:
        """Begin with the first window."""
        self._review.read(self.state.ask())
        self.set_interval(LOOK_EVERY_S, self._look_again)

    def on_review_read(self, message: ReviewRead) -> None:
        """Take in a window, and say what was done."""
        self.state.failed = False
        told = self.state.take(message.page, message.decided, time.monotonic())
        for words in (message.said, told):
            if words:
                self.notify(words, timeout=3)
        if self.state.lacking:
            self._review.read(self.state.ask())
        if self.state.other_id is not None:
            self._review.attempt(self.state.other_id)
        self._draw()

    def on_attempt_read(self, message: AttemptRead) -> None:
        """Show another attempt."""
        self.state.show_attempt(message.row)
        self._draw()

    def on_filters_read(self, message: FiltersRead) -> None:
        """Offer what the list can be narrowed to."""
        from tui.screens.curate.narrow import NarrowScreen  # most reviews do without it

        def go(chosen: "Narrowed | None") -> None:
            if chosen is not None:
                where = replace(self.state.where, topic=chosen.topic, rule=chosen.rule)
                self._list(self.state.list_other(where))

        if self.is_active:
            self.app.push_screen(NarrowScreen(message.topics, message.rules, self.state.where), go)

    def on_command_ended(self, message: CommandEnded) -> None:
        """The rules have decided, or could not."""
        self.state.checking = False
        if message.answer is not None:
            said = "The rules accepted {accepted:,} and rejected {rejected:,}.".format_map(message.answer)
            self.notify(said, timeout=3)
        elif message.error is not None:
            self.say_error(message.error)
        self._review.read(self.state.ask())

    def on_store_failed(self, message: StoreFailed) -> None:
        """Say why a decision was not taken; the list is read anew, once."""
        self.state.take(None, 0, time.monotonic())
        self.say_error(message.error)
        if not self.state.failed:  # a list that cannot be read would be asked for without an end
            self.state.failed = True
            self._review.read(self.state.ask())

    @property
    def carriers(self) -> list[tuple[Place, DOMNode]]:
        """While words are typed, only their keys hold."""
        line = self.query_one(WordsLine)
        return [(line.place, line)] if line.is_open else super().carriers

    def on_descendant_focus(self) -> None:
        """The keys of the line are told while words are typed."""
        self.query_one(Footer).show(footer_actions(*(place for place, _ in self.carriers)))

    def on_descendant_blur(self) -> None:
        """And those of the review again."""
        self.on_descendant_focus()

    def on_line_left(self) -> None:
        """What was typed is let go of."""
        self.action_back()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """List what holds the words, or keep them as a note."""
        line = self.query_one(WordsLine)
        line.close()
        if line.purpose == "search":
            self._list(self.state.look_for(message.value))
        else:
            self._flag(up=True, note=message.value.strip())

    @on_an_answer
    def action_accept(self) -> None:
        """Accept, and go on."""
        if (meant := self.state.decide("accepted")) is not None:
            self._review.accept(self.state.ask(), meant)
            self._draw()

    @on_an_answer
    def action_reject(self) -> None:
        """Reject, and go on."""
        if (meant := self.state.decide("rejected")) is not None:
            self._review.reject(self.state.ask(), meant)
            self._draw()

    @on_an_answer
    def action_flag(self) -> None:
        """Put flags up, or take them down where the answer that is shown has one."""
        if (row := self.state.row) is not None:
            self._flag(up=row.note is None)

    @on_an_answer
    def action_note(self) -> None:
        """Ask for the words of a flag."""
        if (row := self.state.row) is not None:
            self.query_one(WordsLine).open("note", row.note or "")

    @on_an_answer
    def action_again(self) -> None:
        """Ask the teacher again; many only when the key is pressed twice."""
        meant = self.state.meant()
        if meant is None:
            return
        if not self.state.confirmed(meant):
            once_more = f"{key_of('curate.again')} once more does it"
            words = f"Ask the teacher again about {self.state.marked:,} answers? {once_more}."
            self.notify(words, severity="warning")
            return
        if self.state.marks.any:
            self.state.begin("asked again …")
        self._review.again(self.state.ask(), meant)
        self._draw()

    @on_an_answer
    def action_mark(self) -> None:
        """Mark, or let go of the mark."""
        self.state.toggle_mark()
        self._moved()

    @on_an_answer
    def action_range(self) -> None:
        """Begin a range of marks, or let it stay."""
        self.state.toggle_range()
        self._draw()

    @on_an_answer
    def action_mark_all(self) -> None:
        """Mark the whole list."""
        self.state.mark_all()
        self._draw()

    @on_an_answer
    def action_edit(self) -> None:
        """Change the answer in a real editor."""
        from tui.terminal.editor import edit  # most answers are not edited

        row = self.state.row
        text = edit(self.app, row.answer, "distill-tui curate edit does it") if row is not None else None
        if row is not None and text is not None:
            self._review.edit(self.state.ask(), row.id, text)

    def action_undo(self) -> None:
        """Take back the last step."""
        self._review.undo(self.state.ask())

    def action_redo(self) -> None:
        """Decide again what was taken back."""
        self._review.redo(self.state.ask())

    def action_filter(self) -> None:
        """List another kind."""
        self._list(self.state.turn_filter())

    def action_choose(self) -> None:
        """Narrow the list to a topic or to a broken rule."""
        self._review.filters()

    @on_an_answer
    def action_attempt_before(self) -> None:
        """Show the attempt before."""
        self._turn_attempt(-1)

    @on_an_answer
    def action_attempt_after(self) -> None:
        """Show the next attempt."""
        self._turn_attempt(1)

    @on_an_answer
    def action_compare(self) -> None:
        """Show what an edit changed, or the answer alone."""
        self.state.comparing = not self.state.comparing
        self.state.scroll = 0
        row = self.state.row
        if self.state.comparing and row is not None and row.answer == row.generated:
            self.notify("Edited answers are compared with what was generated; this one is as it came.")
        self._draw()

    @on_an_answer
    def action_whole(self) -> None:
        """Give the page to the answer, or take it back."""
        self.state.whole = not self.state.whole
        self._draw()

    @on_an_answer
    def action_copy(self) -> None:
        """Copy the answer that is shown."""
        if (row := self.state.row) is not None:
            self.app.copy_to_clipboard(row.answer)

    def action_check(self) -> None:
        """Let the rules decide what no person decided, wherever it is listed."""
        if self.state.page is None or not self.state.page.counts.total:
            self.say_nothing_listed()
        elif not self.state.checking:
            self.state.checking = True
            self._review.check()
            self._draw()

    def action_search(self) -> None:
        """Ask for words to look for."""
        self.query_one(WordsLine).open("search", self.state.where.search)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys that open the line are letters while words are typed in it."""
        return action not in _TYPED or not self.query_one(WordsLine).is_open

    def action_back(self) -> None:
        """Let go of what was begun last: the field, the marks, another attempt, the whole page, the search."""
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
        """Read a list that was not on the screen, and stay at one of its examples."""
        self._review.read(self.state.ask(), stay_at or None)
        self._draw()

    def _turn_attempt(self, steps: int) -> None:
        number = self.state.turn_attempt(steps)
        if number is not None:
            self._review.attempt(number)
        else:
            self._draw()

    def _look_again(self) -> None:
        """While answers come, or none has yet, see what has come."""
        page = self.state.page
        if page is not None and self.state.awaited == 0 and (page.grows or not page.counts.total):
            self._review.read(self.state.ask())
