"""The texts around the turns of a conversation, for servers that read no Jinja: derived from a template, held to it.

Knows nothing of tokens, nor of any server's own language of templates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import ModelError
from engine.model.chat_template import ChatTemplate
from engine.records.prompt import Message

# Words that no template contains, and that survive trimming.
_SYSTEM, _USER, _ASSISTANT, _NEXT = "qxsystemqx", "qxuserqx", "qxassistantqx", "qxnextqx"
_QUESTION = (Message("user", _USER),)
_TURNS = (*_QUESTION, Message("assistant", _ASSISTANT), Message("user", _NEXT))
_LONG = (
    Message("user", "1 < 2?"),
    Message("assistant", "Yes.\n\n- so"),
    *_TURNS,
    Message("assistant", "§"),
    *_QUESTION,
)


@dataclass(frozen=True, slots=True)
class TurnTexts:
    """What a template writes around the messages, which alternate and begin with a user's."""

    first: str  # before the first user's message
    to_answer: str  # from a user's message to its answer, where one follows
    to_user: str  # from an answer to the next user's message
    lead: str  # after the last user's message: here the answer begins
    before_system: str
    after_system: str  # to the first user's message
    takes_system: bool

    @classmethod
    def of(cls, chat: ChatTemplate) -> "TurnTexts | None":
        """Those of a template; None where it writes conversations that no fixed texts around turns would give."""
        try:
            first, _, lead = chat.render(_QUESTION).partition(_USER)
            to_answer, _, rest = chat.render(_TURNS).partition(_USER)[2].partition(_ASSISTANT)
            found = cls(first, to_answer, rest.partition(_NEXT)[0], lead, *_around_system(chat))
            agrees = all(found.render(turns) == chat.render(turns) for turns in (_QUESTION, _TURNS, _LONG))
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


def _around_system(chat: ChatTemplate) -> tuple[str, str, bool]:
    try:
        before, found, after = chat.render((Message("system", _SYSTEM), *_QUESTION)).partition(_SYSTEM)
    except ModelError:
        return "", "", False
    return (before, after.partition(_USER)[0], True) if found else ("", "", False)
