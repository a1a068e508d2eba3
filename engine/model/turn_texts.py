"""The texts around the turns of a conversation, for servers without Jinja: derived from a template, checked against it.

Knows nothing of tokens or of any server's own template language.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import ModelError
from engine.model.chat_template import ASSISTANT, NEXT, QUESTION, USER, ChatTemplate
from engine.records.prompt import Message

_TURNS = (*QUESTION, Message("assistant", ASSISTANT), Message("user", NEXT))
_LONG = (
    Message("user", "1 < 2?"),
    Message("assistant", "Yes.\n\n- so"),
    *_TURNS,
    Message("assistant", "§"),
    *QUESTION,
)


@dataclass(frozen=True, slots=True)
class TurnTexts:
    """What a template writes around the messages, which alternate and start with a user message."""

    first: str  # before the first user message
    to_answer: str  # from a user message to its answer, if one follows
    to_user: str  # from an answer to the next user message
    lead: str  # after the last user message, where the answer starts
    around_system: tuple[str, str] | None  # before it, and from it to the first user message; None: no system role

    @classmethod
    def of(cls, chat: ChatTemplate) -> "TurnTexts | None":
        """Derive them from a template; None if fixed texts around turns do not reproduce it."""
        try:
            first, _, lead = chat.render(QUESTION).partition(USER)
            to_answer, _, rest = chat.render(_TURNS).partition(USER)[2].partition(ASSISTANT)
            found = cls(first, to_answer, rest.partition(NEXT)[0], lead, chat.around_system())
            agrees = all(found.render(turns) == chat.render(turns) for turns in (QUESTION, _TURNS, _LONG))
        except ModelError:
            return None
        return found if agrees else None

    def render(self, messages: Sequence[Message]) -> str:
        """Render the conversation, which ends with a user message, up to the start of the answer."""
        pieces, before = [], self.first
        for message in messages:
            if message.role == "assistant":
                pieces += [self.to_answer, message.content]
                before = self.to_user
            else:
                pieces += [before, message.content]
        return "".join([*pieces, self.lead])
