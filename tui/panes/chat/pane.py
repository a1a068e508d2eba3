"""The chat pane as a widget: passes questions to the service, answers into the state, votes to the store."""

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
from engine.records.talk import Talk
from engine.records.vote import VoteChoice
from tui.actions import PaneName, Place, bindings
from tui.actions.chat import VOTES
from tui.forms.screen import Field, FormScreen
from tui.keys import key_of
from tui.panes.chat.drawing import draw, no_vote, room_to_grow
from tui.panes.chat.question import QuestionField
from tui.panes.chat.state import ChatState, Turn
from tui.panes.job import JobView
from tui.panes.pane import Pane
from tui.panes.view import View
from tui.services.chat import ArmsRead, ChatService, Kept, ReplyEnded, ReplyGrew, ServerTold, VotesRead
from tui.services.facts import Facts
from tui.services.store import StoreFailed, StoreService
from tui.widgets.page import Page
from tui.widgets.placed import ArmsChosen

# Five times a second, as the other panes are drawn; as rarely as Textual draws where a person has a slow line.
DRAW_EVERY_S = max(0.2, 1 / MAX_FPS)
_TYPED = ("ask", "rewrite")  # they go to the field
_VOTES = frozenset(f"chat.{vote.id}" for vote in VOTES)


class ChatPane(Pane):
    """Two arms side by side; what a person thinks of them is kept as votes."""

    place: ClassVar[PaneName] = "chat"
    # The field must have the focus before the next key of a fast typist arrives: here letters are votes and leaps.
    BINDINGS: ClassVar[list[BindingType]] = [
        replace(binding, priority=True) if isinstance(binding, Binding) and binding.action in _TYPED else binding
        for binding in bindings("chat")
    ]
    DEFAULT_CSS = "ChatPane QuestionField { dock: bottom; }"

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = ChatState()
        self._service = ChatService(store, self)
        self.standing = Standing()
        self._field = QuestionField()
        self._ticket = 0
        self._arms: tuple[str, ...] = ()
        self._kept: Talk | None = None  # what is stored; None: what is, was not read yet
        self._begun = False  # a talk, here or when it was kept
        self._waiting: Timer | None = None

    def compose(self) -> ComposeResult:
        """The talk, and the field under it."""
        yield Page(classes="lines")
        yield self._field

    def on_unmount(self) -> None:
        """The server stays; the talk is over."""
        self._service.close()

    @property
    def carriers(self) -> list[tuple[Place, DOMNode]]:
        """While a question is typed, the field's keys come first."""
        field = self._field
        return [(field.place, field), (self.place, self)] if field.has_focus else [(self.place, self)]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys that go to the field are its own once it has the focus."""
        return action not in _TYPED or not self._field.has_focus

    @property
    def vain(self) -> frozenset[str]:
        """Votes, as long as there is none to be given."""
        return frozenset() if self.state.votable else _VOTES

    def show(self, facts: Facts, job: JobView | None) -> None:
        """Read the arms again where a prompt or a run has come."""
        run = facts.run
        read = (facts.prompt_version, run.id if run else 0, run.best_step if run else 0, facts.rules)
        if read != self._seen:
            self._seen = read
            self._service.read()
        super().show(facts, job)

    def draw(self, view: View) -> list[Content]:
        """The talk; while it grows, with room for what comes."""
        lines = draw(self.state, self.standing, view.facts.rules, view.width)
        return [*lines, *[Content("")] * room_to_grow(len(lines), view.height)] if self.state.streaming else lines

    def redraw(self) -> None:
        """Draw the talk; stay at its end where the person is there."""
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        super().redraw()
        self.stay_at_end()
        self._keep_talk()

    def _redraw_soon(self) -> None:
        """Draw what has come, once for all that comes until then: each time a line is added, the page goes over it."""
        if self._waiting is None:
            self._waiting = self.set_timer(DRAW_EVERY_S, self.redraw)

    def on_arms_read(self, message: ArmsRead) -> None:
        """Take in which arms there are: compare the newest run with the prompted model, as long as nobody chose."""
        self._arms = message.arms
        if self._kept is None:
            said = message.said
            if message.talk is not None and {*message.talk.arms} <= {*self._arms}:
                self.state.take_up(message.talk)
                self._compared()
            elif message.talk is not None and message.talk.turns:
                said = f"The last talk was with {' and '.join(message.talk.arms)}: it is kept until another one begins."
            if said:
                self._say(clean_line(said))
            self._kept = self.state.talk
            self._begun = bool(self.state.turns)
        if self.state.arms[0] not in self._arms or self.state.arms[1] not in self._arms:
            self._compare((*self._arms, *self._arms)[:2])
        self.redraw()

    def on_votes_read(self, message: VotesRead) -> None:
        """Take in how the votes stand, and that one is stored, or was taken back."""
        self.standing = message.standing
        for vote, kept in ((message.kept, True), (message.taken, False)):
            if vote is not None:
                self.state.settle(vote, kept=kept)
        if message.said:
            self._say(message.said)
        self.redraw()

    def on_server_told(self, message: ServerTold) -> None:
        """Say what the server is doing."""
        self.state.note = message.words
        self.redraw()

    def on_reply_grew(self, message: ReplyGrew) -> None:
        """Take in more text of the turn that is on."""
        if message.ticket == self._ticket and (turn := self.state.turn) is not None:
            reply = turn.replies[turn.side_of(message.arm)]
            reply.text, reply.checks = message.text, message.checks
            self._redraw_soon()

    def on_reply_ended(self, message: ReplyEnded) -> None:
        """Take in how an answer ended."""
        turn = self.state.turn
        if message.ticket != self._ticket or turn is None:
            return
        reply = turn.replies[turn.side_of(message.arm)]
        reply.end(message.answer, message.error, message.checks)
        if turn.whole:
            self.state.note = ""
        self.redraw()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Nothing that was not stored is told as such; the workspace says why."""
        self.state.forget_unkept()
        self.redraw()

    def on_kept(self, message: Kept) -> None:
        """Say that the question was kept."""
        self._say(message.said)

    def on_question_field_sent(self, message: QuestionField.Sent) -> None:
        """Put the question to both arms; the votes' keys hold at once."""
        message.stop()
        if not self.state.arms[0]:
            self._say("There is nothing to talk to before a prompt is set.")
            return
        if self.state.streaming:
            self._service.halt()
        self.state.ask(message.text)
        self._send()
        self.focus()

    def on_question_field_left(self, message: QuestionField.Left) -> None:
        """Back to the talk."""
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
        """Type a question."""
        self.screen.set_focus(self._field)

    def action_blind(self) -> None:
        """Hide which arm is which from the next question on, or stop it."""
        self.state.blind = not self.state.blind
        self._say("Blind from the next question on." if self.state.blind else "Sides have names again.")
        self.redraw()

    def action_arms(self) -> None:
        """Compare other arms."""
        names = zip(("first", "second"), self.state.arms, strict=True)
        fields = [Field(name, name.capitalize(), arm, choices=self._arms) for name, arm in names]

        def chosen(values: dict[str, str] | None) -> None:
            if values is not None:
                self._compare((values["first"], values["second"]))

        if self._arms:
            self.app.push_screen(FormScreen("Compare which arms?", fields, go="compare"), chosen)
        else:
            self._say("There is nothing to compare before a prompt is set.")

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
        """The same question again."""
        self._halt()
        if self._asked() is not None and self.state.again() is not None:
            self._send()

    def action_rewrite(self) -> None:
        """Change the last question and send it again."""
        self._halt()
        field = self._field
        if question := self.state.take_back():
            field.text = question
            field.move_cursor(field.document.end)
        self.screen.set_focus(field)
        self.redraw()

    def action_keep(self) -> None:
        """Make the question one to train on."""
        if (turn := self._asked()) is not None:
            self._service.keep(turn.question)

    def action_begin(self) -> None:
        """Begin a talk; the last one can be brought back."""
        self._halt()
        if self._asked() is not None:
            self.state.begin()
            self._say(f"A new talk. {key_of('chat.restore')} brings the last one back.")
        self.redraw()

    def action_restore(self) -> None:
        """Bring back the talk as it was."""
        before = self.state.compared
        if not self.state.restore():
            self._say("No turn was dropped.")
            return
        self._halt()
        if self.state.compared != before:
            self._compared()
        self.redraw()

    def action_halt(self) -> None:
        """Stop both answers."""
        self._service.halt()

    def _halt(self) -> None:
        """Stop what is being answered; nothing that still comes of it belongs to what is shown from now on."""
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

    def _keep_talk(self) -> None:
        """Store the talk where it has changed; words that still come are stored when they have."""
        self._begun = self._begun or bool(self.state.turns)  # until then what is kept may be another talk
        if self._begun and self._kept is not None and (talk := self.state.talk) != self._kept:
            self._kept = talk
            self._service.keep_talk(talk)

    def _send(self) -> None:
        """Put the newest turn to its arms."""
        turn = self.state.turn
        if turn is None or (view := self.view) is None:
            return
        self._ticket += 1
        asked = [(turn.replies[turn.side_of(arm)].arm, self.state.history(arm)) for arm in (0, 1)]
        self._service.ask(self._ticket, asked, view.facts.rules)
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
        """The newest turn; where there is none, the person is told what brings one."""
        if self.state.turn is None:
            self._say(f"Nothing was asked yet: {key_of('chat.ask')} types a question.")
        return self.state.turn

    def _say(self, words: str) -> None:
        self.app.notify(words, timeout=3)

    def _turn_dial(self, steps: int) -> None:
        strength = self.state.turn_dial(steps)
        self._service.read_votes(self.state.compared)
        self.app.notify(f"Adapters answer at {strength} % from the next question on.", timeout=2)
        self.redraw()

    action_weaker, action_stronger = partialmethod(_turn_dial, -1), partialmethod(_turn_dial, 1)
