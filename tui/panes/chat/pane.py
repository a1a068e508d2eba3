"""The chat pane as a widget: passes questions to the service, answers to the state, votes to the store."""

from dataclasses import replace
from functools import partialmethod
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.constants import MAX_FPS
from textual.content import Content
from textual.dom import DOMNode
from textual.timer import Timer

from engine.clean import clean_line
from engine.evaluation.preference import Standing
from engine.records.chat import Chat
from engine.records.vote import VoteChoice
from tui.actions import PaneName, Place, bindings
from tui.actions.chat import VOTES
from tui.forms.screen import Field, FormScreen
from tui.keys import key_of
from tui.panes.chat.drawing import no_vote
from tui.panes.chat.laying_out import ChatDrawing
from tui.panes.chat.question import QuestionField
from tui.panes.chat.state import ChatState, Turn
from tui.panes.pane import Pane
from tui.panes.view import View
from tui.services.chat import ArmsRead, ChatService, Kept, ReplyEnded, ReplyGrew, ServerStatus, VotesRead
from tui.services.facts import Facts
from tui.services.store import StoreFailed, StoreService
from tui.widgets.page import Page
from tui.widgets.placed import ArmsChosen

# Five times per second, like the other panes; less often if the user has set a slow terminal.
DRAW_EVERY_S = max(0.2, 1 / MAX_FPS)
_TYPED = ("ask", "rewrite")  # these move to the question field
_VOTES = frozenset(f"chat.{vote.id}" for vote in VOTES)


class ChatPane(Pane):
    """Two arms side by side; the user's opinion of them is stored as votes."""

    place: ClassVar[PaneName] = "chat"
    # The field must have the focus before a fast typist's next key arrives: outside it, letters are commands.
    BINDINGS: ClassVar[list[BindingType]] = [
        replace(binding, priority=True) if isinstance(binding, Binding) and binding.action in _TYPED else binding
        for binding in bindings("chat")
    ]
    DEFAULT_CSS = "ChatPane QuestionField { dock: bottom; }"

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = ChatState()
        self._drawing = ChatDrawing(self, self.state)
        self._service = ChatService(store, self)
        self.standing = Standing()
        self._field = QuestionField()
        self._ticket = 0
        self._arms: tuple[str, ...] = ()
        self._kept: Chat | None = None  # the stored chat; None: not read yet
        self._begun = False  # whether a chat has turns, here or as stored
        self._waiting: Timer | None = None

    def compose(self) -> ComposeResult:
        """Yield the chat, and the question field under it."""
        yield Page(classes="lines", cut=True)
        yield self._field

    def on_unmount(self) -> None:
        """End the chat; the server stays."""
        self._service.close()

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """The places whose keys hold; while a question is typed, the field's keys come first."""
        field = self._field
        return [(field.place, field), (self.place, self)] if field.has_focus else [(self.place, self)]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While the field has the focus, the keys that lead to it belong to its text."""
        return action not in _TYPED or not self._field.has_focus

    @property
    def unavailable(self) -> frozenset[str]:
        """The votes, while none can be given."""
        return frozenset() if self.state.votable else _VOTES

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """The prompt, the newest run and the rules: they decide the arms."""
        run = facts.run
        return (facts.prompt_version, run.id if run else 0, run.best_step if run else 0, facts.rules)

    def read(self) -> None:
        """Read the arms."""
        self._service.read()

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return self._drawing.draw(view, self.standing)

    def redraw(self) -> None:
        """Draw the chat; stay at its end if the user is there."""
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        super().redraw()
        self.stay_at_end()
        self._write_chat()

    def _redraw_soon(self) -> None:
        """Schedule one drawing for everything that arrives until then: each added line sends the whole page."""
        if self._waiting is None:
            self._waiting = self.set_timer(DRAW_EVERY_S, self.redraw)

    def on_arms_read(self, message: ArmsRead) -> None:
        """Take the arms; until the user chooses, compare the newest run with the prompted model."""
        self._arms = message.arms
        if self._kept is None:
            notice = message.notice
            if message.chat is not None and {*message.chat.arms} <= {*self._arms}:
                self.state.take_up(message.chat)
                self._compared()
            elif message.chat is not None and message.chat.turns:
                notice = f"The last chat, with {' and '.join(message.chat.arms)}, is kept until you start a new one."
            if notice:
                self._say(clean_line(notice))
            self._kept = self.state.chat
            self._begun = bool(self.state.turns)
        if self.state.arms[0] not in self._arms or self.state.arms[1] not in self._arms:
            self._compare((*self._arms, *self._arms)[:2])
        self.redraw()

    def on_votes_read(self, message: VotesRead) -> None:
        """Take the vote counts, and note which vote was stored or undone."""
        self.standing = message.standing
        for vote, kept in ((message.kept, True), (message.taken, False)):
            if vote is not None:
                self.state.settle(vote, kept=kept)
        if message.notice:
            self._say(message.notice)
        self.redraw()

    def on_server_status(self, message: ServerStatus) -> None:
        """Show what the server is doing, unless its turn has ended or was stopped meanwhile."""
        if message.ticket == self._ticket and self.state.streaming:
            self.state.note = message.words
            self.redraw()

    def on_reply_grew(self, message: ReplyGrew) -> None:
        """Take more text of the current turn."""
        if message.ticket == self._ticket and (turn := self.state.turn) is not None:
            reply = turn.replies[turn.side_of(message.arm)]
            reply.text, reply.checks = message.text, message.checks
            self._redraw_soon()

    def on_reply_ended(self, message: ReplyEnded) -> None:
        """Take the end of an answer."""
        turn = self.state.turn
        if message.ticket != self._ticket or turn is None:
            return
        reply = turn.replies[turn.side_of(message.arm)]
        reply.end(message.answer, message.error, message.checks)
        if turn.whole:
            self.state.note = ""
        self.redraw()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Drop votes that were not stored; the workspace says why."""
        self.state.forget_unkept()
        self.redraw()

    def on_kept(self, message: Kept) -> None:
        """Confirm that the question was kept."""
        self._say(message.notice)

    def on_question_field_sent(self, message: QuestionField.Sent) -> None:
        """Ask both arms; the keys for voting work at once."""
        message.stop()
        if not self.state.arms[0]:
            self._say("The chat needs a prompt first.")
            return
        if self.state.streaming:
            self._service.halt()
        self.state.ask(message.text)
        self._send()
        self.focus()

    def on_question_field_left(self, message: QuestionField.Left) -> None:
        """Go back to the chat."""
        message.stop()
        self.focus()

    def on_question_field_scrolled(self, message: QuestionField.Scrolled) -> None:
        """Scroll while a question is typed."""
        message.stop()
        if message.pages == 0:
            self.scroll_end(animate=False)
        elif message.pages > 0:
            self.scroll_page_down(animate=False)
        else:
            self.scroll_page_up(animate=False)

    def action_ask(self) -> None:
        """Move to the question field."""
        self.screen.set_focus(self._field)

    def action_blind(self) -> None:
        """Turn blind mode on or off, from the next question on."""
        self.state.blind = not self.state.blind
        self._say("Blind from the next question on." if self.state.blind else "The arms are named again.")
        self.redraw()

    def action_arms(self) -> None:
        """Ask which arms to compare."""
        names = zip(("first", "second"), self.state.arms, strict=True)
        fields = [Field(name, name.capitalize(), arm, choices=self._arms) for name, arm in names]

        def chosen(values: dict[str, str] | None) -> None:
            if values is not None:
                self._compare((values["first"], values["second"]))

        if self._arms:
            self.app.push_screen(FormScreen("Compare which arms?", fields, go="compare"), chosen)
        else:
            self._say("The chat needs a prompt first.")

    def action_unvote(self) -> None:
        """Take the last vote back."""
        self._service.unvote(self.state.compared)

    def action_reveal(self) -> None:
        """Show which arm is which."""
        if self._asked() is not None:
            if not self.state.hidden:
                self._say("Nothing is hidden.")
            self.state.revealed = True
            self.redraw()

    def action_again(self) -> None:
        """Ask the same question again."""
        self._halt()
        if self._asked() is not None and self.state.again() is not None:
            self._send()

    def action_rewrite(self) -> None:
        """Put the last question back into the field, to be edited and sent again."""
        self._halt()
        field = self._field
        if question := self.state.take_back():
            field.text = question
            field.move_cursor(field.document.end)
        self.screen.set_focus(field)
        self.redraw()

    def action_keep(self) -> None:
        """Add the question to the training questions."""
        if (turn := self._asked()) is not None:
            self._service.keep(turn.question)

    def action_begin(self) -> None:
        """Start a new chat; the last one can be restored."""
        self._halt()
        if self._asked() is not None:
            self.state.begin()
            self._say(f"New chat. Press {key_of('chat.restore')} to restore the last one.")
        self.redraw()

    def action_restore(self) -> None:
        """Restore the chat as it was before turns were last dropped."""
        before = self.state.compared
        if not self.state.restore():
            self._say("There is no earlier chat to restore.")
            return
        self._halt()
        if self.state.compared != before:
            self._compared()
        self.redraw()

    def action_halt(self) -> None:
        """Stop both answers."""
        self._service.halt()

    def _halt(self) -> None:
        """Stop the current answers; ignore whatever still arrives for them."""
        self._service.halt()
        self._ticket += 1
        self.state.note = ""

    def _compare(self, arms: tuple[str, ...]) -> None:
        self._halt()
        self.state.choose(arms)
        self._compared()
        self.redraw()

    def _compared(self) -> None:
        self.post_message(ArmsChosen(self.state.compared))
        self._service.read_votes(self.state.compared)

    def _write_chat(self) -> None:
        """Store the chat if it has changed; an unfinished answer is stored when it is complete."""
        self._begun = self._begun or bool(self.state.turns)  # until then, the stored chat may be another one
        if self._begun and self._kept is not None and (chat := self.state.chat) != self._kept:
            self._kept = chat
            self._service.write_chat(chat)

    def _send(self) -> None:
        """Send the newest turn to its arms."""
        turn = self.state.turn
        if turn is None or self.facts is None:
            return
        self._ticket += 1
        asked = [(turn.replies[turn.side_of(arm)].arm, self.state.history(arm)) for arm in (0, 1)]
        self._service.ask(self._ticket, asked, self.facts.rules)
        self.redraw()

    def _vote(self, choice: VoteChoice) -> None:
        if (turn := self._asked()) is None:
            return
        if (vote := self.state.vote(choice)) is not None:
            self._service.vote(vote, self.state.compared)
            self.redraw()
        else:
            self._say(no_vote(turn))

    action_vote_left = partialmethod(_vote, "left")
    action_vote_right = partialmethod(_vote, "right")
    action_vote_tie = partialmethod(_vote, "tie")
    action_vote_both_bad = partialmethod(_vote, "both_bad")

    def _copy(self, side: Literal["left", "right"]) -> None:
        if (turn := self._asked()) is not None:
            self.app.copy_to_clipboard(turn.replies[side].text)

    action_copy, action_copy_right = partialmethod(_copy, "left"), partialmethod(_copy, "right")

    def _asked(self) -> Turn | None:
        """The newest turn; if there is none, tell the user how to ask."""
        if self.state.turn is None:
            self._say(f"There is no question yet. Press {key_of('chat.ask')} to type one.")
        return self.state.turn

    def _say(self, words: str) -> None:
        self.app.notify(words, timeout=3)

    def _turn_dial(self, steps: int) -> None:
        self.app.notify(f"Adapter strength from the next question on: {self.state.turn_dial(steps)} %", timeout=2)
        self._service.read_votes(self.state.compared)
        self.redraw()

    action_weaker, action_stronger = partialmethod(_turn_dial, -1), partialmethod(_turn_dial, 1)
