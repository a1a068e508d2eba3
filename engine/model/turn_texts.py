"""The texts around the turns of a conversation, for servers that read no Jinja: derived from a template, held to it.

Knows nothing of tokens, nor of any server's own language of templates.
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
    """What a template writes around the messages, which alternate and begin with a user's."""

    first: str  # before the first user's message
    to_answer: str  # from a user's message to its answer, where one follows
    to_user: str  # from an answer to the next user's message
    lead: str  # after the last user's message: here the answer begins
    around_system: tuple[str, str] | None  # before it, and to the first user's message; None: it takes none

    @classmethod
    def of(cls, chat: ChatTemplate) -> "TurnTexts | None":
        """Those of a template; None where it writes conversations that no fixed texts around turns would give."""
        try:
            first, _, lead = chat.render(QUESTION).partition(USER)
            to_answer, _, rest = chat.render(_TURNS).partition(USER)[2].partition(ASSISTANT)
            found = cls(first, to_answer, rest.partition(NEXT)[0], lead, chat.around_system())
            agrees = all(found.render(turns) == chat.render(turns) for turns in (QUESTION, _TURNS, _LONG))
        except ModelError:
            return None
        return found if agrees else None

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation, which ends with a user's message, up to where the answer begins."""
        pieces, before = [], self.first
        for message in messages:
            if message.role == "assistant":
                pieces += [self.to_answer, message.content]
                before = self.to_user
            else:
                pieces += [before, message.content]
        return "".join([*pieces, self.lead])
