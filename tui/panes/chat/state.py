"""What the chat knows: two arms, the turns so far, the streaming text, and which side a vote is for.

Pure Python, free of Textual and of I/O. Text in here is raw, as models wrote it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from random import Random
from typing import TYPE_CHECKING, Literal

from engine.records.chat import Chat, ChatReply, ChatTurn
from engine.records.prompt import Message
from engine.records.rule import CheckResult
from engine.records.vote import Vote, VoteChoice

if TYPE_CHECKING:
    from engine.serving.client import Answer

Place = Literal["left", "right"]
PLACES: tuple[Place, Place] = ("left", "right")
FULL_STRENGTH = 100
STRENGTH_STEP = 10
STOPPED = "Stopped."
_KEPT = 20  # chats that can be restored
_STORED = [each.name for each in fields(ChatReply)]  # a reply's fields, apart from whether it has ended


@dataclass(slots=True)
class Reply:
    """One arm's answer to one question, during and after streaming."""

    arm: str  # the model's name on the server
    text: str = ""
    done: bool = False
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_s: float | None = None
    tokens_per_second: float | None = None
    cost_usd: float | None = None  # None: it costs nothing
    checks: tuple[CheckResult, ...] = ()

    @classmethod
    def of(cls, kept: ChatReply) -> "Reply":
        """Return a stored reply."""
        return cls(done=True, **{name: getattr(kept, name) for name in _STORED})

    @property
    def kept(self) -> ChatReply:
        """The reply to be stored; one that is still streaming is stored only as stopped."""
        if not self.done:
            return ChatReply(self.arm, error=STOPPED)
        return ChatReply(**{name: getattr(self, name) for name in _STORED})

    def end(self, answer: "Answer | None", error: str, checks: tuple[CheckResult, ...]) -> None:
        """Mark the reply as ended; without an answer, `error` is the reason."""
        self.done, self.error, self.checks = True, error, checks
        if answer is not None:
            self.text, self.cost_usd = answer.text, answer.cost_usd
            self.prompt_tokens, self.completion_tokens = answer.prompt_tokens, answer.completion_tokens
            self.first_token_s, self.tokens_per_second = answer.first_token_s, answer.tokens_per_second


@dataclass(slots=True)
class Turn:
    """One question and the two replies to it; `voted` is the user's vote on them, `kept` whether it is stored."""

    question: str
    replies: dict[Place, Reply]
    blind: bool
    swapped: bool = False  # the second arm is on the left
    voted: VoteChoice | None = None
    kept: bool = False

    def side_of(self, arm: int) -> Place:
        """The side of the first (0) or the second (1) of the compared arms."""
        return "right" if (arm == 1) != self.swapped else "left"

    @property
    def whole(self) -> bool:
        """Whether both replies have ended."""
        return all(reply.done for reply in self.replies.values())

    @property
    def characters(self) -> int:
        """The length of both replies."""
        return sum(len(reply.text) for reply in self.replies.values())

    @property
    def comparable(self) -> bool:
        """Whether both arms have answered completely."""
        return self.whole and not any(reply.error for reply in self.replies.values())


@dataclass(slots=True)
class ChatState:
    """The pane's whole state. `arms` are in the order that the user chose; a blind turn may show them swapped."""

    arms: tuple[str, str] = ("", "")
    turns: list[Turn] = field(default_factory=list)
    blind: bool = False
    revealed: bool = False
    strength: int = FULL_STRENGTH
    note: str = ""  # what the server is doing, or why it cannot
    random: Random = field(default_factory=Random)
    _past: list[tuple[tuple[str, str], list[Turn], bool]] = field(default_factory=list)  # arms, turns, revealed

    @property
    def turn(self) -> Turn | None:
        """The newest turn."""
        return self.turns[-1] if self.turns else None

    @property
    def hidden(self) -> bool:
        """Whether the arms' names, and whatever would reveal them, are hidden now."""
        return self.turn is not None and self.turn.blind and not self.revealed and self.turn.voted is None

    @property
    def votable(self) -> bool:
        """Whether the newest turn can be voted on: not twice, and not if it is a blind one that was revealed."""
        turn = self.turn
        return turn is not None and turn.comparable and turn.voted is None and not (turn.blind and self.revealed)

    @property
    def streaming(self) -> bool:
        """Whether an answer is still streaming."""
        return self.turn is not None and not self.turn.whole

    def named(self, arm: str) -> str:
        """The server's name for this arm at the current strength; only adapters have a strength."""
        if not arm.startswith("run-"):
            return arm
        run, _, _ = arm.partition("@")  # of an earlier turn, with the strength it had
        return run if self.strength == FULL_STRENGTH else f"{run}@{self.strength}"

    def ask(self, question: str) -> Turn:
        """Start a turn; in blind mode its sides are shuffled. Replies still streaming count as stopped."""
        self._stop()
        turn = Turn(question, {}, self.blind, swapped=self.blind and self.random.random() < 0.5)
        turn.replies = {turn.side_of(arm): Reply(self.named(name)) for arm, name in enumerate(self.arms)}
        self.turns.append(turn)
        self.revealed = False
        return turn

    def again(self) -> Turn | None:
        """Restart the newest turn with the same question and sides, at the current strength; None if there is none."""
        if self.turn is None:
            return None
        self._keep()
        old = self.turns.pop()
        replies = {place: Reply(self.named(old.replies[place].arm)) for place in PLACES}
        self.turns.append(Turn(old.question, replies, old.blind, old.swapped))
        return self.turns[-1]

    def take_back(self) -> str:
        """Remove the newest turn and return its question, to be edited and sent again."""
        self._keep()
        return self.turns.pop().question if self.turns else ""

    def restore(self) -> bool:
        """Restore the chat, with its arms, as it was before turns were last dropped; return whether there was one."""
        if not self._past:
            return False
        self.arms, self.turns, self.revealed = self._past.pop()
        return True

    def begin(self) -> None:
        """Start a new chat; the next question is its first."""
        self._keep()
        self.turns.clear()
        self.revealed = False

    @property
    def chat(self) -> Chat:
        """The current chat, to be stored; a vote that is not stored yet is left out."""
        turns = (
            ChatTurn(
                turn.question,
                turn.replies["left"].kept,
                turn.replies["right"].kept,
                turn.blind,
                turn.swapped,
                turn.voted if turn.kept else None,
            )
            for turn in self.turns
        )
        return Chat(self.arms, tuple(turns), self.blind, self.revealed, self.strength)

    def take_up(self, chat: Chat) -> None:
        """Continue a stored chat."""
        self.arms, self.blind, self.revealed, self.strength = chat.arms, chat.blind, chat.revealed, chat.strength
        self.turns = [
            Turn(
                turn.question,
                {"left": Reply.of(turn.left), "right": Reply.of(turn.right)},
                turn.blind,
                turn.swapped,
                turn.voted,
                turn.voted is not None,
            )
            for turn in chat.turns
        ]

    def history(self, arm: int) -> tuple[Message, ...]:
        """What the first (0) or second (1) arm was asked and has answered, newest question last.

        Turns without a complete answer are left out: a partial or missing answer would carry over into the next one.
        """
        messages: list[Message] = []
        for turn in self.turns:
            reply = turn.replies[turn.side_of(arm)]
            if turn is self.turn:
                messages.append(Message("user", turn.question))
            elif not reply.error:
                messages += [Message("user", turn.question), Message("assistant", reply.text)]
        return tuple(messages)

    def turn_dial(self, steps: int) -> int:
        """Change the adapter's strength by so many steps, between 0 and 100 %; return the new strength."""
        self.strength = max(0, min(self.strength + steps * STRENGTH_STEP, FULL_STRENGTH))
        return self.strength

    def vote(self, choice: VoteChoice) -> Vote | None:
        """Record the user's vote on the newest turn; None if it cannot be voted on."""
        turn = self.turn
        if turn is None or not self.votable:
            return None
        turn.voted = choice
        left, right = turn.replies["left"], turn.replies["right"]
        return Vote(self.history(0), left.arm, right.arm, left.text, right.text, choice, turn.blind)

    def settle(self, vote: Vote, *, kept: bool) -> None:
        """Mark the vote as stored, or as undone: then its turn can be voted on again."""
        for turn in reversed(self.turns):
            answers = turn.replies["left"].text, turn.replies["right"].text
            # A stored vote may have been forgotten here, because another request failed before its answer came.
            if answers == (vote.left_answer, vote.right_answer) and (kept or turn.voted is not None):
                turn.kept, turn.voted = kept, vote.choice if kept else None
                return

    def forget_unkept(self) -> None:
        """Drop the votes that were not stored, after the store failed."""
        for turn in self.turns:
            turn.voted = turn.voted if turn.kept else None

    @property
    def compared(self) -> tuple[str, str]:
        """The two arms as votes name them: at the current strength."""
        return self.named(self.arms[0]), self.named(self.arms[1])

    def choose(self, arms: Sequence[str]) -> None:
        """Compare these two from now on; this starts a new chat, because the answers were from other arms."""
        self.begin()
        self.arms = (arms[0], arms[1])

    def _keep(self) -> None:
        """Remember the current chat, to be restored; replies still streaming count as stopped."""
        if self.turn is None:
            return
        self._stop()
        self._past = [*self._past[-(_KEPT - 1) :], (self.arms, list(self.turns), self.revealed)]

    def _stop(self) -> None:
        for reply in self.turn.replies.values() if self.turn is not None else ():
            if not reply.done:
                reply.done, reply.error = True, STOPPED
